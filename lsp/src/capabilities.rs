//! What the server can do, and what the client said of itself.

use mesa::ide::Encoding;
use serde_json::{Value, json};

/// The kinds of semantic tokens, in the order of their numbers (`mesa::ide::tokens::Kind`).
pub(crate) const TOKEN_TYPES: [&str; 16] = [
    "keyword",
    "comment",
    "string",
    "number",
    "operator",
    "type",
    "function",
    "parameter",
    "variable",
    "property",
    "namespace",
    "enumMember",
    "class",
    "struct",
    "macro",
    "decorator",
];
/// Bits: declaration, readonly, defaultLibrary, documentation.
pub(crate) const TOKEN_MODIFIERS: [&str; 4] =
    ["declaration", "readonly", "defaultLibrary", "documentation"];

/// What a client said of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    pub(crate) encoding: Encoding,
    /// Whether edits may carry versions and several files.
    pub(crate) document_changes: bool,
    pub(crate) snippets: bool,
    /// Whether places may be links with the span that was asked about.
    pub(crate) links: bool,
    pub(crate) pulls: bool,
    pub(crate) related: bool,
    pub(crate) hierarchical: bool,
    pub(crate) markdown: bool,
    pub(crate) refresh_hints: bool,
    pub(crate) refresh_lenses: bool,
    pub(crate) refresh_diagnostics: bool,
    pub(crate) watch: bool,
    pub(crate) literal_actions: bool,
}

/// What is told and asked of files that are created, renamed and deleted: of specs and of folders,
/// which may have some in them.
fn file_operations(params: &Value) -> Value {
    let specs = json!({ "scheme": "file", "pattern": { "glob": "**/*.mesa" } });
    let folders = json!({ "scheme": "file", "pattern": { "glob": "**", "matches": "folder" } });
    let files = json!({ "filters": [specs, folders] });
    let mut all = json!({ "didRename": files, "didDelete": files, "didCreate": files });
    if let (true, Value::Object(all)) =
        (flag(params, "/capabilities/workspace/fileOperations/willRename"), &mut all)
    {
        all.insert("willRename".into(), files);
    }
    all
}

fn flag(params: &Value, path: &str) -> bool {
    params.pointer(path).and_then(Value::as_bool).unwrap_or(false)
}

impl Peer {
    pub(crate) fn of(params: &Value) -> Self {
        let at = |path: &str| format!("/capabilities/{path}");
        let has = |path: &str| flag(params, &at(path));
        let formats = params.pointer(&at("textDocument/hover/contentFormat"));
        let markdown = formats.and_then(Value::as_array);
        Self {
            encoding: encoding(params),
            document_changes: has("workspace/workspaceEdit/documentChanges"),
            snippets: has("textDocument/completion/completionItem/snippetSupport"),
            links: has("textDocument/definition/linkSupport"),
            pulls: params.pointer(&at("textDocument/diagnostic")).is_some(),
            related: has("textDocument/publishDiagnostics/relatedInformation")
                || params.pointer(&at("textDocument/diagnostic")).is_some(),
            hierarchical: has("textDocument/documentSymbol/hierarchicalDocumentSymbolSupport"),
            markdown: markdown.is_none_or(|f| f.iter().any(|f| f == "markdown")),
            refresh_hints: has("workspace/inlayHint/refreshSupport"),
            refresh_lenses: has("workspace/codeLens/refreshSupport"),
            refresh_diagnostics: has("workspace/diagnostics/refreshSupport"),
            watch: has("workspace/didChangeWatchedFiles/dynamicRegistration"),
            literal_actions: params
                .pointer(&at("textDocument/codeAction/codeActionLiteralSupport"))
                .is_some(),
        }
    }
}

/// UTF-8 where the client offers it: no counting, then.
fn encoding(params: &Value) -> Encoding {
    let offered = params.pointer("/capabilities/general/positionEncodings");
    let offered = offered.and_then(Value::as_array);
    if offered.is_some_and(|all| all.iter().any(|e| e == "utf-8")) {
        Encoding::Utf8
    } else {
        Encoding::Utf16
    }
}

/// The answer to `initialize`.
pub(crate) fn initialize(params: &Value) -> Value {
    let encoding = match encoding(params) {
        Encoding::Utf8 => "utf-8",
        Encoding::Utf16 => "utf-16",
    };
    json!({
        "serverInfo": { "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") },
        "capabilities": {
            "positionEncoding": encoding,
            "textDocumentSync": {
                "openClose": true, "change": 2, "save": { "includeText": false },
            },
            "hoverProvider": true,
            "completionProvider": {
                "triggerCharacters": [".", " ", "(", "\"", "/", ":"],
                "resolveProvider": false,
            },
            "signatureHelpProvider": {
                "triggerCharacters": ["(", ","], "retriggerCharacters": [","],
            },
            "definitionProvider": true,
            "declarationProvider": true,
            "typeDefinitionProvider": true,
            "referencesProvider": true,
            "documentHighlightProvider": true,
            "documentSymbolProvider": true,
            "workspaceSymbolProvider": true,
            "renameProvider": { "prepareProvider": true },
            "documentFormattingProvider": true,
            "documentRangeFormattingProvider": true,
            "documentOnTypeFormattingProvider": {
                "firstTriggerCharacter": "}", "moreTriggerCharacter": ["\n"],
            },
            "foldingRangeProvider": true,
            "selectionRangeProvider": true,
            "documentLinkProvider": { "resolveProvider": false },
            "codeLensProvider": { "resolveProvider": true },
            "inlayHintProvider": true,
            "callHierarchyProvider": true,
            "codeActionProvider": {
                "codeActionKinds":
                    ["quickfix", "refactor.extract", "refactor.rewrite", "source.fixAll"],
            },
            "semanticTokensProvider": {
                "legend": { "tokenTypes": TOKEN_TYPES, "tokenModifiers": TOKEN_MODIFIERS },
                "full": { "delta": true },
                "range": true,
            },
            "diagnosticProvider": {
                "identifier": "mesa", "interFileDependencies": true, "workspaceDiagnostics": true,
                "workDoneProgress": true,
            },
            "executeCommandProvider": { "commands": ["mesa.amend"] },
            "workspace": {
                "workspaceFolders": { "supported": true, "changeNotifications": true },
                "fileOperations": file_operations(params),
            },
        },
    })
}
