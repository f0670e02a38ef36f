//! Between the engine's bytes and names and the protocol's positions and URIs.

use mesa::diagnostic::{Diagnostic, Severity, codes};
use mesa::ide::document::{byte_of, position_of};
use mesa::ide::{Encoding, Position};
use mesa::source::{Place, SourceFile, Sources, Span};
use serde_json::{Value, json};

use crate::uris::Uris;

pub(crate) fn position(value: &Value) -> Position {
    let number = |key: &str| value.get(key).and_then(Value::as_u64).unwrap_or(0);
    let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Position { line: small(number("line")), column: small(number("character")) }
}

/// Writes places in the client's encoding.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'a> {
    pub(crate) sources: &'a Sources,
    pub(crate) encoding: Encoding,
    pub(crate) uris: &'a Uris,
}

pub(crate) fn written(position: Position) -> Value {
    json!({ "line": position.line, "character": position.column })
}

impl Writer<'_> {
    pub(crate) fn at(&self, file: &SourceFile, byte: u32) -> Value {
        written(position_of(file, byte, self.encoding))
    }
    pub(crate) fn range(&self, file: &SourceFile, span: Span) -> Value {
        json!({ "start": self.at(file, span.start), "end": self.at(file, span.end) })
    }
    pub(crate) fn uri(&self, name: &str) -> String {
        self.uris.of(name)
    }
    pub(crate) fn location(&self, place: Place) -> Value {
        let file = self.sources.file(place.file);
        json!({ "uri": self.uri(&file.name), "range": self.range(file, place.span) })
    }
    pub(crate) fn range_of(&self, place: Place) -> Value {
        self.range(self.sources.file(place.file), place.span)
    }

    /// A finding as the protocol writes it; `related` places where the client shows them.
    pub(crate) fn diagnostic(&self, d: &Diagnostic, related: bool) -> Value {
        let place = d.place();
        let range = place.map_or(Value::Null, |p| self.range_of(p));
        let mut message = d.title.clone();
        let expected = d.title.ends_with("is expected");
        let said = |text: &str| {
            text.is_empty()
                || d.title.contains(text)
                || text == "not known"
                || expected && text.starts_with("expected ")
        };
        if let Some(label) = d.labels.first().filter(|l| !said(&l.text)) {
            message += &format!("\n{}", label.text);
        }
        let others = d.labels.get(1..).unwrap_or_default();
        if !related {
            let own = place.map(|p| p.file);
            for label in others {
                let line = self.at(self.sources.file(label.place.file), label.place.span.start);
                let place = match line.get("line").and_then(Value::as_u64) {
                    Some(line) if own == Some(label.place.file) => format!("line {}", line + 1),
                    _ => self.sources.line_of(label.place),
                };
                message += &format!("\n{place}: {}", label.text);
            }
        }
        for note in &d.notes {
            message += &format!("\n{note}");
        }
        let severity = match d.severity {
            Severity::Error => 1,
            Severity::Warning => 2,
            Severity::Note => 3,
        };
        let mut out = json!({
            "range": range,
            "severity": severity,
            "code": d.code.id(),
            "source": "mesa",
            "message": message,
        });
        let Value::Object(map) = &mut out else { return out };
        map.insert("codeDescription".into(), json!({ "href": self.uris.page(d.code) }));
        if [codes::UNUSED_BINDING, codes::UNUSED_IMPORT].contains(&d.code) {
            map.insert("tags".into(), json!([1]));
        }
        if related && !others.is_empty() {
            let all = others.iter().map(
                |label| json!({ "location": self.location(label.place), "message": label.text }),
            );
            map.insert("relatedInformation".into(), all.collect());
        }
        out
    }
}

/// The byte at a position of the protocol.
pub(crate) fn byte(file: &SourceFile, value: &Value, encoding: Encoding) -> u32 {
    byte_of(file, position(value), encoding)
}

/// The bytes of a range of the protocol.
pub(crate) fn span(file: &SourceFile, value: &Value, encoding: Encoding) -> Span {
    let at = |key: &str| value.get(key).map_or(0, |v| byte(file, v, encoding));
    let (start, end) = (at("start"), at("end"));
    Span::new(start.min(end), end.max(start))
}
