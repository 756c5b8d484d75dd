//! The table of a chart's values, from `values.yaml` and its comments.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

/// A key of `values.yaml`.
struct Key<'a> {
    /// How far it is indented.
    depth: usize,
    /// From the top, with dots.
    path: String,
    /// The comment above it, on one line.
    comment: String,
    /// The lines below it that belong to it.
    below: &'a [&'a str],
}

/// One row for each value, in the file's order. A map whose keys have no comments is one value.
///
/// # Errors
/// When a value has no comment, or the file is no map in block style.
pub(crate) fn table(yaml: &str) -> Result<String> {
    let values: Value = serde_saphyr::from_str(yaml).context("values.yaml is no YAML")?;
    let lines: Vec<&str> = yaml.lines().collect();
    let mut table = "| value | default | meaning |\n|---|---|---|\n".to_owned();
    for key in keys(&lines)? {
        let comments_below = key.below.iter().any(|line| is_comment(line));
        if comments_below {
            if !key.comment.is_empty() {
                writeln!(table, "| **`{}`** | | {} |", key.path, key.comment)?;
            }
            continue;
        }
        let pointer = format!("/{}", key.path.replace('.', "/"));
        let default = values
            .pointer(&pointer)
            .with_context(|| format!("{} was read wrongly", key.path))?;
        ensure!(
            !key.comment.is_empty(),
            "values.yaml: {} has no comment",
            key.path
        );
        writeln!(table, "| `{}` | `{default}` | {} |", key.path, key.comment)?;
    }
    Ok(table)
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

fn depth(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// All keys but those inside of a map that is one value.
fn keys<'a>(lines: &'a [&'a str]) -> Result<Vec<Key<'a>>> {
    let mut keys: Vec<Key<'a>> = Vec::new();
    let mut parents: Vec<(usize, String)> = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        at += 1;
        if line.trim().is_empty() {
            comment.clear();
            continue;
        }
        if is_comment(line) {
            comment.push(line.trim_start().trim_start_matches('#').trim());
            continue;
        }
        let Some((name, _)) = line.trim_start().split_once(':') else {
            bail!("values.yaml: {line:?} is no key");
        };
        let depth = depth(line);
        parents.retain(|(d, _)| *d < depth);
        parents.push((depth, name.to_owned()));
        let path: Vec<&str> = parents.iter().map(|(_, name)| name.as_str()).collect();
        let belongs = |l: &&&str| l.trim().is_empty() || self::depth(l) > depth;
        let length = lines[at..].iter().take_while(belongs).count();
        let below = &lines[at..at + length];
        if !below.iter().any(|line| is_comment(line)) {
            at += length;
        }
        keys.push(Key {
            depth,
            path: path.join("."),
            comment: std::mem::take(&mut comment).join(" ").replace('|', "\\|"),
            below,
        });
    }
    ensure!(keys.iter().any(|key| key.depth == 0), "values.yaml has no keys");
    Ok(keys)
}

/// The text with what stands between two marks replaced.
///
/// # Errors
/// When a mark is missing.
pub(crate) fn between(text: &str, begin: &str, end: &str, new: &str) -> Result<String> {
    let (before, rest) = text.split_once(begin).with_context(|| format!("no {begin:?}"))?;
    let (_, after) = rest.split_once(end).with_context(|| format!("no {end:?}"))?;
    Ok(format!("{before}{begin}\n{new}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "\
# One
# line.
a: 1

# A group.
b:
  # With | in it.
  c: []
  d:
    # Of its own.
    e: \"\"
# Whole.
f:
  g:
    h: x
";

    #[test]
    fn each_value_has_a_row() {
        assert_eq!(
            table(YAML).expect("a table"),
            "| value | default | meaning |\n|---|---|---|\n\
             | `a` | `1` | One line. |\n\
             | **`b`** | | A group. |\n\
             | `b.c` | `[]` | With \\| in it. |\n\
             | `b.d.e` | `\"\"` | Of its own. |\n\
             | `f` | `{\"g\":{\"h\":\"x\"}}` | Whole. |\n"
        );
    }

    #[test]
    fn a_value_without_a_comment_is_told() {
        let error = table("# A.\na: 1\n\nb: 2\n").expect_err("no comment");
        assert_eq!(error.to_string(), "values.yaml: b has no comment");
    }

    #[test]
    fn only_what_is_between_the_marks_changes() {
        assert_eq!(between("a<b>c", "<", ">", "x\n").expect("marks"), "a<\nx\n>c");
        assert!(between("a<b", "<", ">", "x").is_err());
    }
}
