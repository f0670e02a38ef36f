//! What two versions of a text have in common, found fast.
//!
//! In: a text before and after an edit. Out: how much of its start and its end is the same.

/// So many bytes are compared at once.
const BLOCK: usize = 1024;

/// How many bytes at the start and at the end of two texts are the same; the two do not overlap in
/// either text.
#[must_use]
pub fn unchanged(old: &str, new: &str) -> (usize, usize) {
    let (old, new) = (old.as_bytes(), new.as_bytes());
    let start = common_start(old, new);
    let most = old.len().min(new.len()) - start;
    (start, common_end(old, new).min(most))
}

fn common_start(a: &[u8], b: &[u8]) -> usize {
    let blocks = a.chunks_exact(BLOCK).zip(b.chunks_exact(BLOCK));
    let whole = blocks.take_while(|(a, b)| a == b).count() * BLOCK;
    let (a, b) = (a.iter().skip(whole), b.iter().skip(whole));
    whole + a.zip(b).take_while(|(a, b)| a == b).count()
}

fn common_end(a: &[u8], b: &[u8]) -> usize {
    let blocks = a.rchunks_exact(BLOCK).zip(b.rchunks_exact(BLOCK));
    let whole = blocks.take_while(|(a, b)| a == b).count() * BLOCK;
    let (a, b) = (a.iter().rev().skip(whole), b.iter().rev().skip(whole));
    whole + a.zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_found_in_long_and_short_texts() {
        assert_eq!(unchanged("", ""), (0, 0));
        assert_eq!(unchanged("abc", "abc"), (3, 0));
        assert_eq!(unchanged("aaa", "aa"), (2, 0));
        assert_eq!(unchanged("abc", "axc"), (1, 1));
        let (front, back) = ("f".repeat(3000), "b".repeat(5001));
        let (old, new) = (format!("{front}one{back}"), format!("{front}2{back}"));
        assert_eq!(unchanged(&old, &new), (3000, 5001));
    }
}
