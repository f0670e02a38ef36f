//! The pages of the codes: what each means, a wrong example, the right one, what to do.
//!
//! In: `pages/E0101.md` and so on, embedded. Out: [`Code::page`] and the examples of a page, which
//! a test runs. `mesa help`, hover, SARIF and the reference all read these texts.
//!
//! A page is Markdown: `# E0101: summary`, what it means, an example fenced as `mesa wrong`, its
//! mended form fenced as `mesa right`, and a paragraph that starts with `To mend it:`. The
//! example itself is called `main.mesa`; further files of it follow, fenced as
//! `mesa file=other.mesa`. A code that only a command can
//! trigger shows commands instead, fenced as `console wrong` and `console right`.

use super::Code;

/// One example of a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Example {
    /// Whether it triggers the code, or is the mended form that checks cleanly.
    pub is_wrong: bool,
    /// Whether it is a command with its output, not a file.
    pub is_command: bool,
    /// The file, or the command.
    pub text: String,
    /// Further files by name.
    pub files: Vec<(String, String)>,
}

impl Code {
    /// The page of this code, as Markdown.
    #[must_use]
    pub fn page(self) -> &'static str {
        let found = PAGES.binary_search_by(|(id, _)| (*id).cmp(self.id()));
        found.ok().and_then(|index| PAGES.get(index)).map_or("", |(_, page)| page)
    }
    /// The examples of its page, in order.
    #[must_use]
    pub fn examples(self) -> Vec<Example> {
        examples(self.page())
    }
}

/// The examples of a page, in order.
#[must_use]
pub fn examples(page: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    for (fence, text) in fences(page) {
        let example = |is_wrong, is_command| Example {
            is_wrong,
            is_command,
            text: text.clone(),
            files: Vec::new(),
        };
        match fence {
            "mesa wrong" => examples.push(example(true, false)),
            "mesa right" => examples.push(example(false, false)),
            "console wrong" => examples.push(example(true, true)),
            "console right" => examples.push(example(false, true)),
            _ => {
                let name = fence.strip_prefix("mesa file=");
                if let (Some(name), Some(last)) = (name, examples.last_mut()) {
                    last.files.push((name.to_owned(), text));
                }
            }
        }
    }
    examples
}

/// The fenced blocks of a Markdown text: what follows the opening fence, and the lines inside.
fn fences(page: &str) -> Vec<(&str, String)> {
    let mut fences = Vec::new();
    let mut open: Option<(&str, String)> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => fences.push(block),
            (Some(info), None) => open = Some((info.trim(), String::new())),
            (None, Some((info, text))) => open = Some((info, text + line + "\n")),
            (None, None) => {}
        }
    }
    fences
}

macro_rules! pages {
    ($($id:literal)*) => {
        /// Every page, in the order of the codes.
        const PAGES: &[(&str, &str)] =
            &[$(($id, include_str!(concat!("pages/", $id, ".md")))),*];
    };
}

pages! {
    "E0001" "E0002" "E0003" "E0004" "E0005" "E0101" "E0102" "E0103" "E0104"
    "E0105" "E0106" "E0107" "E0108" "E0109" "E0201" "E0202" "E0203"
    "E0204" "E0205" "E0206" "E0207" "E0208" "E0209" "E0210" "E0211"
    "E0212" "E0213" "E0214" "E0215" "E0216" "E0217" "E0218" "E0219"
    "E0220" "E0301" "E0302" "E0303" "E0304" "E0305" "E0306" "E0307"
    "E0308" "E0309" "E0401" "E0402" "E0403" "E0404" "E0405" "E0406"
    "E0407" "E0408" "E0409" "E0410" "E0411" "E0412" "E0413" "E0414"
    "E0415" "E0501" "E0502" "E0503" "E0504" "E0505" "E0506" "E0507"
    "E0508" "E0509" "E0510" "E0511" "E0512" "E0513" "E0514" "E0515"
    "E0516" "E0517" "E0518" "E0519" "E0520" "E0521" "E0522" "E0523"
    "E0524" "E0525" "E0526" "E0527" "E0530" "E0601" "E0602" "E0603"
    "E0701" "E0702" "E0703" "E0801" "E0802" "E0803" "E0804" "E0805"
    "E0806" "E0820" "E0821" "E0822" "E0823" "E0824" "E0825" "E0826"
    "E0827" "E0830" "E0831" "E0832" "E0833" "E0834" "E0901" "E0902"
    "N0801" "W0101" "W0102" "W0501" "W0502" "W0503" "W0504" "W0505" "W0506"
    "W0601" "W0602" "W0801" "W0802" "W0820" "W0821"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::codes;

    #[test]
    fn every_code_has_a_page_and_every_page_a_code() {
        let codes: Vec<&str> = codes::ALL.iter().map(|(code, _)| code.id()).collect();
        let pages: Vec<&str> = PAGES.iter().map(|(id, _)| *id).collect();
        assert_eq!(codes, pages);
        assert!(codes.is_sorted(), "codes are declared in order");
    }

    #[test]
    fn pages_start_with_code_and_summary() {
        for (code, summary) in codes::ALL {
            let title = format!("# {}: {summary}", code.id());
            assert_eq!(code.page().lines().next(), Some(title.as_str()));
        }
    }

    #[test]
    fn pages_have_a_wrong_and_a_right_example_and_say_what_to_do() {
        for (code, _) in codes::ALL {
            let examples = code.examples();
            let count = |wrong| examples.iter().filter(|e| e.is_wrong == wrong).count();
            assert!(count(true) >= 1, "{} has a wrong example", code.id());
            assert!(count(false) >= 1, "{} has a right example", code.id());
            assert!(code.page().contains("\nTo mend it:"), "{} says what to do", code.id());
            for example in examples {
                assert!(!example.text.trim().is_empty(), "{} has no empty example", code.id());
            }
        }
    }

    #[test]
    fn pages_are_tidy() {
        for (code, _) in codes::ALL {
            let page = code.page();
            assert!(page.ends_with('\n') && !page.ends_with("\n\n"), "{}", code.id());
            assert_eq!(page.matches("```").count() % 2, 0, "{} closes its fences", code.id());
            for line in page.lines() {
                assert!(line.chars().count() <= 100, "{}: {line}", code.id());
                assert_eq!(line.trim_end(), line, "{}", code.id());
            }
        }
    }

    #[test]
    fn further_files_belong_to_the_example_before_them() {
        let page = "# X\n\n```mesa wrong\nuse \"./a.mesa\".{B}\n```\n\n\
                    ```mesa file=a.mesa\nconst C = 1\n```\n";
        let examples = examples(page);
        assert_eq!(examples.len(), 1);
        assert_eq!(examples[0].files, [("a.mesa".to_owned(), "const C = 1\n".to_owned())]);
    }
}
