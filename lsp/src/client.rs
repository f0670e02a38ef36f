//! Messages to the editor that answer nothing: notifications and requests, in order.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tower_lsp::Client;
use tower_lsp::lsp_types::notification::Notification;
use tower_lsp::lsp_types::request::Request;

/// How long an editor may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Something to say to the editor.
pub(crate) enum Out {
    Diagnostics(Value),
    Evaluated(Value),
    Log(Value),
    Progress(Value),
    /// `textDocument/…/refresh`, `workspace/applyEdit` and the like: nothing waits for the answer.
    Register(Value),
    ApplyEdit(Value),
    RefreshDiagnostics,
    RefreshHints,
    RefreshLenses,
}

/// Where to put what is to be said.
pub(crate) type Outbox = UnboundedSender<Out>;

macro_rules! messages {
    ($($trait:ident $name:ident = $method:literal $($result:ty)?;)*) => {
        $(
            enum $name {}
            impl $trait for $name {
                type Params = Value;
                $(type Result = $result;)?
                const METHOD: &'static str = $method;
            }
        )*
    };
}

messages! {
    Notification PublishDiagnostics = "textDocument/publishDiagnostics";
    Notification Evaluated = "mesa/evaluated";
    Notification LogMessage = "window/logMessage";
    Notification Progress = "$/progress";
    Request Register = "client/registerCapability" Value;
    Request ApplyEdit = "workspace/applyEdit" Value;
    Request RefreshDiagnostics = "workspace/diagnostic/refresh" Value;
    Request RefreshHints = "workspace/inlayHint/refresh" Value;
    Request RefreshLenses = "workspace/codeLens/refresh" Value;
}

/// Starts to deliver.
pub(crate) fn start(client: Client) -> Outbox {
    let (sender, receiver) = unbounded_channel();
    tokio::spawn(deliver(client, receiver));
    sender
}

async fn deliver(client: Client, mut messages: UnboundedReceiver<Out>) {
    while let Some(message) = messages.recv().await {
        match message {
            Out::Diagnostics(v) => client.send_notification::<PublishDiagnostics>(v).await,
            Out::Evaluated(v) => client.send_notification::<Evaluated>(v).await,
            Out::Log(v) => client.send_notification::<LogMessage>(v).await,
            Out::Progress(v) => client.send_notification::<Progress>(v).await,
            Out::Register(v) => ask::<Register>(&client, v),
            Out::ApplyEdit(v) => ask::<ApplyEdit>(&client, v),
            Out::RefreshDiagnostics => ask::<RefreshDiagnostics>(&client, Value::Null),
            Out::RefreshHints => ask::<RefreshHints>(&client, Value::Null),
            Out::RefreshLenses => ask::<RefreshLenses>(&client, Value::Null),
        }
    }
}

/// Asks the editor for something; an editor that never answers holds nothing up.
fn ask<R>(client: &Client, params: Value)
where
    R: Request<Params = Value, Result = Value> + 'static,
{
    let client = client.clone();
    tokio::spawn(async move {
        let _ = tokio::time::timeout(PATIENCE, client.send_request::<R>(params)).await;
    });
}
