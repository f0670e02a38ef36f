//! The `mesa-lsp` binary: the language server protocol over standard input and output.
//!
//! In: requests of an editor. Out: answers. It starts, says who it is and ends properly, and claims
//! no features: those belong to `mesa::ide` and come with it.

mod exit;

use std::process::ExitCode;

use tokio::runtime::Runtime;
use tower_lsp::jsonrpc::Result;
use tower_lsp::lsp_types::{InitializeParams, InitializeResult, ServerCapabilities, ServerInfo};
use tower_lsp::{LanguageServer, LspService, Server, async_trait};

use exit::{Exit, UntilExit, Watched};

/// Answers requests.
struct Mesa;

#[async_trait]
impl LanguageServer for Mesa {
    async fn initialize(&self, _: InitializeParams) -> Result<InitializeResult> {
        let version = Some(env!("CARGO_PKG_VERSION").to_owned());
        let info = ServerInfo { name: env!("CARGO_PKG_NAME").to_owned(), version };
        Ok(InitializeResult {
            capabilities: ServerCapabilities::default(),
            server_info: Some(info),
        })
    }

    async fn shutdown(&self) -> Result<()> {
        Ok(())
    }
}

fn main() -> ExitCode {
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("mesa-lsp cannot start: {error}");
            return ExitCode::from(2);
        }
    };
    let exit = Exit::default();
    runtime.block_on(serve(exit.clone()));
    // a read of standard input may still be waiting; nobody will answer it
    runtime.shutdown_background();
    exit.code()
}

async fn serve(exit: Exit) {
    let (service, socket) = LspService::new(|_| Mesa);
    let input = UntilExit::new(tokio::io::stdin(), exit.clone());
    Server::new(input, tokio::io::stdout(), socket).serve(Watched::new(service, exit)).await;
}
