//! Requests, each answered by what `mesa::ide` finds.
//!
//! In: the session, a method and its parameters. Out: the result as the protocol wants it, at once,
//! or a question for the thread that evaluates.

mod actions;
mod evaluated;
mod findings;
mod names;
mod shape;
mod typing;

use mesa::check::ModuleId;
use mesa::ide::View;
use mesa::{Program, ide};
use serde_json::{Value, json};
use tower_lsp::jsonrpc::{Error, Result};

use crate::aside::{Ask, Moment};
use crate::convert::{Writer, byte};
use crate::copies;
use crate::session::Session;
use crate::uris::{Uris, code_of, name_of};

pub(crate) use findings::Tour;

/// An answer, or how to come by it.
pub(crate) enum Answer {
    Now(Result<Value>),
    /// The same, written already: for answers of many thousand numbers.
    Written(Result<String>),
    /// About a document as it is now.
    Aside(Moment, Ask),
}

/// A document, a place in it, and how to write.
pub(crate) struct At<'a> {
    pub(crate) view: View<'a>,
    pub(crate) writer: Writer<'a>,
    pub(crate) byte: u32,
}

impl At<'_> {
    pub(crate) fn range(&self, span: mesa::source::Span) -> Value {
        self.writer.range(self.view.program.sources.file(self.view.file), span)
    }
}

/// A request that cannot be met, in words for the user.
pub(crate) fn refused(message: impl Into<String>) -> Error {
    let code = tower_lsp::jsonrpc::ErrorCode::from(-32803);
    Error { code, message: message.into().into(), data: None }
}

/// The name of the document that a request is about.
fn named(session: &Session, params: &Value) -> Result<String> {
    let missing = || Error::invalid_params("`textDocument.uri` is missing");
    session.name(params).ok_or_else(missing)
}

/// Answers from the document that a request is about; `null` where it is not open.
fn at(
    session: &mut Session,
    params: &Value,
    answer: impl FnOnce(&At<'_>) -> Result<Value>,
) -> Result<Value> {
    let name = named(session, params)?;
    let (encoding, uris) = (session.peer.encoding, session.uris.clone());
    let Some((program, module)) = session.workspace.program(&name) else { return Ok(Value::Null) };
    answer(&place(program, module, params, encoding, &uris))
}

pub(crate) fn place<'a>(
    program: &'a Program,
    module: ModuleId,
    params: &Value,
    encoding: ide::Encoding,
    uris: &'a Uris,
) -> At<'a> {
    let view = View::new(program, module);
    let writer = Writer { sources: &program.sources, encoding, uris };
    let file = program.sources.file(view.file);
    let byte = params.get("position").map_or(0, |p| byte(file, p, encoding));
    At { view, writer, byte }
}

/// A question for the thread that evaluates, about a document.
fn aside(session: &mut Session, params: &Value, ask: Ask) -> Answer {
    let name = match named(session, params) {
        Ok(name) => name,
        Err(error) => return Answer::Now(Err(error)),
    };
    match moment(session, &name) {
        Some(moment) => Answer::Aside(moment, ask),
        None => Answer::Now(Ok(Value::Null)),
    }
}

/// A document as it is now.
pub(crate) fn moment(session: &mut Session, name: &str) -> Option<Moment> {
    let loaded = session.workspace.load(name)?;
    let stamp = session.workspace.document(name)?.stamp;
    Some(Moment { name: name.to_owned(), stamp, loaded })
}

/// Answers a request.
pub(crate) fn answer(session: &mut Session, method: &str, params: &Value) -> Answer {
    Answer::Now(match method {
        "textDocument/hover" => return evaluated::hover(session, params),
        "textDocument/inlayHint" => return evaluated::hints(session, params),
        "textDocument/codeLens" => evaluated::lenses(session, params),
        "codeLens/resolve" => return evaluated::lens(session, params),
        "mesa/report" => return evaluated::report(session, params),
        "mesa/explain" => return evaluated::explain(session, params),
        "mesa/scenarios" => evaluated::scenarios(session, params),
        "mesa/choices" => return evaluated::choices(session, params),
        "mesa/source" => source(params),
        "textDocument/completion" => {
            let snippets = session.peer.snippets;
            at(session, params, |at| typing::completion(at, snippets))
        }
        "textDocument/signatureHelp" => at(session, params, typing::signature),
        "textDocument/definition" | "textDocument/declaration" => {
            let links = session.peer.links;
            at(session, params, |at| names::definition(at, links))
        }
        "textDocument/typeDefinition" => at(session, params, names::type_definition),
        "textDocument/references" => names::references(session, params),
        "textDocument/documentHighlight" => at(session, params, names::highlight),
        "textDocument/prepareRename" => at(session, params, names::prepare_rename),
        "textDocument/rename" => names::rename(session, params),
        "textDocument/prepareCallHierarchy" => at(session, params, names::prepare_calls),
        "callHierarchy/incomingCalls" => names::calls(session, params, true),
        "callHierarchy/outgoingCalls" => names::calls(session, params, false),
        "textDocument/documentSymbol" => shape::symbols(session, params),
        "workspace/symbol" => shape::workspace_symbols(session, params),
        "textDocument/foldingRange" => at(session, params, shape::folding),
        "textDocument/selectionRange" => at(session, params, |at| shape::selection(at, params)),
        "textDocument/documentLink" => at(session, params, shape::links),
        "textDocument/semanticTokens/full" => {
            return Answer::Written(shape::tokens(session, params));
        }
        "textDocument/semanticTokens/full/delta" => {
            return Answer::Written(shape::tokens_delta(session, params));
        }
        "textDocument/semanticTokens/range" => {
            at(session, params, |at| shape::some_tokens(at, params))
        }
        "textDocument/formatting" => at(session, params, |at| shape::format(at, None)),
        "textDocument/rangeFormatting" => {
            at(session, params, |at| shape::format(at, params.get("range")))
        }
        "textDocument/onTypeFormatting" => {
            at(session, params, |at| shape::format_typed(at, params))
        }
        "textDocument/codeAction" => actions::actions(session, params),
        "workspace/executeCommand" => actions::execute(session, params),
        "textDocument/diagnostic" => findings::document(session, params),
        "workspace/willRenameFiles" => names::will_rename(session, params),
        _ => Err(Error::method_not_found()),
    })
}

/// The text of a document of the library, or of the page of a code.
fn source(params: &Value) -> Result<Value> {
    let uri = params.get("uri").and_then(Value::as_str).unwrap_or("");
    if let Some(code) = code_of(uri) {
        let code = mesa::diagnostic::codes::Code::find(code);
        let page = code.map(mesa::diagnostic::Code::page);
        return Ok(page.map_or(Value::Null, |text| json!({ "text": text })));
    }
    match copies::text(&name_of(uri)) {
        Some(text) => Ok(json!({ "text": text })),
        None => Err(Error::invalid_params(format!("there is no `{uri}`"))),
    }
}
