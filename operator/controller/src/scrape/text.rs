//! The Prometheus text format 0.0.4, line by line as it arrives; OpenMetrics differs in nothing that is read here.
//!
//! What is sent is hostile until parsed: every length has a bound, and what goes beyond it ends the answer.

use std::borrow::Cow;

use super::failure::Failure;

/// Longest line, in bytes.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// Most labels of one series.
const MAX_LABELS: usize = 64;

/// Longest name or value of a label, in bytes.
const MAX_LABEL: usize = 1_024;

/// Longest number, in characters. A 64-bit float written out in full by Go has fewer.
const MAX_NUMBER: usize = 64;

/// Cuts what arrives into lines. Holds one unfinished line at most.
#[derive(Debug, Default)]
pub(super) struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// Takes in `chunk` and gives every line that has ended to `take`.
    pub(super) fn push(
        &mut self,
        chunk: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut pieces = chunk.split(|b| *b == b'\n');
        // Splitting gives one piece at least: what comes before the first end of a line.
        let mut piece = pieces.next().unwrap_or_default();
        for next in pieces {
            if self.rest.is_empty() {
                take(bounded(piece)?)?;
            } else {
                self.keep(piece)?;
                take(&self.rest)?;
                self.rest.clear();
            }
            piece = next;
        }
        self.keep(piece)
    }

    /// Gives a last line that has no end to `take`.
    pub(super) fn finish(self, mut take: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
        take(&self.rest)
    }

    fn keep(&mut self, piece: &[u8]) -> Result<(), Failure> {
        if self.rest.len() + piece.len() > MAX_LINE {
            return Err(Failure::TooLarge);
        }
        self.rest.extend_from_slice(piece);
        Ok(())
    }
}

fn bounded(line: &[u8]) -> Result<&[u8], Failure> {
    if line.len() > MAX_LINE {
        return Err(Failure::TooLarge);
    }
    Ok(line)
}

/// Labels of a series: names and values, as they read without their escapes.
pub(super) type Labels<'a> = Vec<(&'a [u8], Cow<'a, [u8]>)>;

/// One series with its value.
#[derive(Debug, PartialEq)]
pub(super) struct Series<'a> {
    pub(super) labels: Labels<'a>,
    pub(super) value: f64,
}

/// The name of the metric that a line tells of, and what follows it. Nothing for comments and empty lines.
pub(super) fn name(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.trim_ascii();
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':');
    let end = line.iter().position(|b| !is_name(b)).unwrap_or(line.len());
    (end > 0).then(|| line.split_at(end))
}

/// What follows a metric's name: labels and the value. A time and an exemplar may follow and say nothing here.
pub(super) fn series(rest: &[u8]) -> Result<Series<'_>, Failure> {
    let rest = rest.trim_ascii_start();
    let (labels, rest) = match rest.strip_prefix(b"{") {
        Some(inside) => labels(inside)?,
        None => (Labels::new(), rest),
    };
    let value = rest
        .trim_ascii_start()
        .split(u8::is_ascii_whitespace)
        .next()
        .filter(|number| number.len() <= MAX_NUMBER)
        .and_then(|number| std::str::from_utf8(number).ok())
        .and_then(|number| number.parse().ok())
        .ok_or(Failure::Malformed)?;
    Ok(Series { labels, value })
}

/// Labels up to the closing brace, and what follows it.
fn labels(mut rest: &[u8]) -> Result<(Labels<'_>, &[u8]), Failure> {
    let mut labels = Labels::new();
    loop {
        rest = rest.trim_ascii_start();
        if let Some(after) = rest.strip_prefix(b"}") {
            return Ok((labels, after));
        }
        if labels.len() >= MAX_LABELS {
            return Err(Failure::TooLarge);
        }
        let end = rest.iter().position(|b| *b == b'=').ok_or(Failure::Malformed)?;
        let (name, after) = rest.split_at(end);
        let name = name.trim_ascii_end();
        let (value, after) = quoted(after[1..].trim_ascii_start())?;
        if name.len() > MAX_LABEL || value.len() > MAX_LABEL {
            return Err(Failure::TooLarge);
        }
        labels.push((name, value));
        rest = after.trim_ascii_start();
        match rest.split_first() {
            Some((b',', after)) => rest = after,
            Some((b'}', _)) => {}
            _ => return Err(Failure::Malformed),
        }
    }
}

/// A value in quotes, without its escapes, and what follows the closing quote.
fn quoted(text: &[u8]) -> Result<(Cow<'_, [u8]>, &[u8]), Failure> {
    let text = text.strip_prefix(b"\"").ok_or(Failure::Malformed)?;
    let special = |b: &u8| matches!(b, b'"' | b'\\');
    let plain = text.iter().position(special).ok_or(Failure::Malformed)?;
    if text[plain] == b'"' {
        return Ok((Cow::Borrowed(&text[..plain]), &text[plain + 1..]));
    }
    let mut value = text[..plain].to_vec();
    let mut bytes = text[plain..].iter();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'"' => return Ok((Cow::Owned(value), bytes.as_slice())),
            b'\\' => match bytes.next() {
                Some(b'n') => b'\n',
                Some(b @ (b'\\' | b'"')) => *b,
                _ => return Err(Failure::Malformed),
            },
            byte => *byte,
        };
        value.push(byte);
    }
    Err(Failure::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, labels and value.
    type Read = (String, Vec<(String, String)>, f64);

    fn read(line: &str) -> Result<Read, Failure> {
        let (name, rest) = name(line.as_bytes()).expect("a name");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        series(rest).map(|s| {
            let labels = s.labels.iter().map(|(k, v)| (text(k), text(v))).collect();
            (text(name), labels, s.value)
        })
    }

    fn plain(name: &str, value: f64) -> Result<Read, Failure> {
        Ok((name.to_owned(), Vec::new(), value))
    }

    #[test]
    fn lines_as_servers_write_them() {
        assert_eq!(read("up 1"), plain("up", 1.0));
        assert_eq!(read("\tup   1.5e3 1700000000000\r"), plain("up", 1_500.0));
        assert_eq!(read("up{} 1"), plain("up", 1.0));
        let labels = vec![
            ("a".to_owned(), "1".to_owned()),
            ("b".to_owned(), "{},=".to_owned()),
        ];
        for line in [
            r#"in:bytes_total{a="1",b="{},="} 7"#,
            r#"in:bytes_total { a = "1" , b="{},=" , } 7 1700000000"#,
            r##"in:bytes_total{a="1",b="{},="} 7 # {trace="x"} 0.5"##,
        ] {
            assert_eq!(
                read(line),
                Ok(("in:bytes_total".to_owned(), labels.clone(), 7.0)),
                "{line}"
            );
        }
        for line in ["", "   ", "# HELP up Whether", "# EOF", "{\"quoted\"} 1", "\u{0}"] {
            assert_eq!(name(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn escapes_are_undone() {
        let (_, labels, _) = read(r#"m{path="a\\b\"c\nd",e="é"} 1"#).expect("a series");
        assert_eq!(labels[0].1, "a\\b\"c\nd");
        assert_eq!(labels[1].1, "é");
    }

    #[test]
    fn what_is_no_series_is_refused() {
        let long = format!(r#"m{{a="{}"}} 1"#, "x".repeat(MAX_LABEL + 1));
        let many: String = (0..=MAX_LABELS).map(|n| format!(r#"l{n}="","#)).collect();
        let many = format!("m{{{many}}} 1");
        for line in [long, many] {
            assert_eq!(read(&line), Err(Failure::TooLarge), "{line:.60}");
        }
        for line in [
            "m",
            "m{",
            "m{a",
            "m{a=",
            "m{a=1} 1",
            r#"m{a="1} 1"#,
            r#"m{a="\x"} 1"#,
            r#"m{a="\"#,
            r#"m{a="1"b="2"} 1"#,
            "m one",
            "m 1,5",
            "m é",
            &format!("m {}", "1".repeat(MAX_NUMBER + 1)),
        ] {
            assert_eq!(read(line), Err(Failure::Malformed), "{line}");
        }
    }

    #[test]
    fn a_line_without_end_is_not_kept() {
        let mut lines = Lines::default();
        let mut told = 0;
        let pushed = (0..100).try_for_each(|_| {
            lines.push(&[b'x'; 1_024], |_| {
                told += 1;
                Ok(())
            })
        });
        assert_eq!(pushed, Err(Failure::TooLarge));
        assert_eq!(told, 0);
        assert!(lines.rest.capacity() <= 2 * MAX_LINE, "{}", lines.rest.capacity());
        let whole = [vec![b'x'; MAX_LINE + 1], b"\n".to_vec()].concat();
        assert_eq!(Lines::default().push(&whole, |_| Ok(())), Err(Failure::TooLarge));
    }
}
