//! Any bytes as a file: no panic, no hang, every place inside of its file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mesa::check::Program;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = mesa::syntax::parse::decode(bytes) else { return };
    let program = Program::of_text("fuzz.mesa", &text);
    for diagnostic in mesa::check(&program) {
        for label in &diagnostic.labels {
            let text = &program.sources.file(label.place.file).text;
            let span = label.place.span;
            assert!(text.get(span.start as usize..span.end as usize).is_some());
        }
    }
});
