//! Rust text without what rules for code do not look at.

/// The text with its comments and its tests left empty, so that line numbers stay. Tests are what follows
/// `#[cfg(test)]`, which stands last in our files.
pub(super) fn without_comments_and_tests(text: &str) -> String {
    let tests = text.find("\n#[cfg(test)]").unwrap_or(text.len());
    let lines = text[..tests].lines().map(|line| match comment(line) {
        Some(start) => &line[..start],
        None => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Where the comment begins. `://` is part of an address.
fn comment(line: &str) -> Option<usize> {
    line.match_indices("//")
        .map(|(at, _)| at)
        .find(|at| !line[..*at].ends_with(':'))
}

/// Where `word` stands in the text as a word of its own: `now()` is not in `snow()`.
pub(super) fn positions(text: &str, word: &str) -> Vec<usize> {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    let open = word.starts_with(inside);
    let close = word.ends_with(inside);
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(|at| !(open && text[..*at].ends_with(inside)))
        .filter(|at| !(close && text[at + word.len()..].starts_with(inside)))
        .collect()
}

/// The number of the line that the position is on.
pub(super) fn line_of(text: &str, position: usize) -> usize {
    text[..position].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_tests_are_gone_and_lines_stay() {
        let text = "//! async\nlet a = \"http://b\"; // async\n\n#[cfg(test)]\nmod tests { async }";
        assert_eq!(
            without_comments_and_tests(text).trim_end(),
            "\nlet a = \"http://b\";"
        );
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(positions("now() snow() now(", "now("), [0, 13]);
        assert_eq!(positions("Clients Client MyClient", "Client"), [8]);
        assert_eq!(positions("api.create(x)", ".create("), [3]);
    }

    #[test]
    fn lines_begin_at_one() {
        assert_eq!([line_of("a\nb", 0), line_of("a\nb", 2)], [1, 2]);
    }
}
