//! Manifests from files, directories and standard input.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use webinar_api::check;

/// No file of manifests is larger than this; what is larger is a mistake.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Deepest nesting of directories that is followed.
const MAX_DEPTH: u32 = 16;

/// One object and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    /// File and position, for messages: `talks.yaml, document 2`.
    pub(crate) origin: String,
    /// The object.
    pub(crate) value: Value,
}

impl Document {
    /// Its kind, or nothing.
    pub(crate) fn kind(&self) -> &str {
        self.value.get("kind").and_then(Value::as_str).unwrap_or_default()
    }

    /// Checks it against its definition. The error names the object, the field and what is allowed.
    pub(crate) fn check(&self) -> Result<(), String> {
        check(&self.value).map_err(|refusals| {
            let all: Vec<String> = refusals.iter().map(ToString::to_string).collect();
            format!("{}: {}", self.origin, all.join("; "))
        })
    }
}

/// Every object in `sources`: files, directories (all `.yaml`, `.yml` and `.json` below), and `-` for
/// standard input. Lists are opened.
///
/// # Errors
///
/// A source can't be read, is too large, or is not YAML or JSON. The message names it.
pub(crate) fn documents(sources: &[PathBuf]) -> Result<Vec<Document>, String> {
    let mut out = Vec::new();
    for source in sources {
        if source.as_os_str() == "-" {
            let mut text = String::new();
            let limited = std::io::stdin()
                .lock()
                .take(MAX_BYTES + 1)
                .read_to_string(&mut text);
            limited.map_err(|error| format!("standard input can't be read: {error}"))?;
            parse("standard input", &text, &mut out)?;
        } else {
            for file in files(source, 0)? {
                let name = file.display().to_string();
                let size = std::fs::metadata(&file)
                    .map_err(|error| format!("{name}: {error}"))?
                    .len();
                if size > MAX_BYTES {
                    return Err(format!(
                        "{name}: {size} bytes are more than the {MAX_BYTES} allowed"
                    ));
                }
                let text = std::fs::read_to_string(&file).map_err(|error| format!("{name}: {error}"))?;
                parse(&name, &text, &mut out)?;
            }
        }
    }
    Ok(out)
}

fn files(path: &Path, depth: u32) -> Result<Vec<PathBuf>, String> {
    let fault = |error: std::io::Error| format!("{}: {error}", path.display());
    if !std::fs::metadata(path).map_err(fault)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    if depth > MAX_DEPTH {
        return Err(format!(
            "{}: directories are nested more than {MAX_DEPTH} deep",
            path.display()
        ));
    }
    let mut entries = std::fs::read_dir(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(fault)?
        .into_iter()
        .map(|entry| entry.path())
        .collect::<Vec<_>>();
    entries.sort();
    let mut out = Vec::new();
    for entry in entries {
        let manifest = entry
            .extension()
            .is_some_and(|e| e == "yaml" || e == "yml" || e == "json");
        if manifest || entry.is_dir() {
            out.extend(files(&entry, depth + 1)?);
        }
    }
    Ok(out)
}

fn parse(name: &str, text: &str, out: &mut Vec<Document>) -> Result<(), String> {
    if text.len() as u64 > MAX_BYTES {
        return Err(format!("{name}: more than the {MAX_BYTES} bytes allowed"));
    }
    let values: Vec<Value> = if text.trim_start().starts_with('{') {
        serde_json::from_str(text)
            .map(|value| vec![value])
            .map_err(|error| format!("{name}: {error}"))?
    } else {
        serde_saphyr::from_multiple(text).map_err(|error| format!("{name}: {error}"))?
    };
    for (value, number) in values.into_iter().filter(|v| !v.is_null()).zip(1..) {
        open(&format!("{name}, document {number}"), value, out);
    }
    Ok(())
}

/// A list is as good as its items.
fn open(origin: &str, mut value: Value, out: &mut Vec<Document>) {
    let list = value
        .get("kind")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.ends_with("List"));
    match value
        .get_mut("items")
        .and_then(Value::as_array_mut)
        .filter(|_| list)
    {
        Some(items) => {
            for (item, number) in std::mem::take(items).into_iter().zip(1..) {
                out.push(Document {
                    origin: format!("{origin}, item {number}"),
                    value: item,
                });
            }
        }
        None => out.push(Document {
            origin: origin.to_owned(),
            value,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_opened_and_empty_documents_skipped() {
        let mut out = Vec::new();
        parse(
            "f",
            "---\n---\nkind: A\n---\nkind: BList\nitems: [{kind: B}, {kind: B}]\n",
            &mut out,
        )
        .unwrap();
        let kinds: Vec<&str> = out.iter().map(Document::kind).collect();
        assert_eq!(kinds, ["A", "B", "B"]);
        assert_eq!(out[2].origin, "f, document 2, item 2");
    }

    #[test]
    fn what_is_not_yaml_is_named() {
        let said = parse("talks.yaml", "a: [", &mut Vec::new()).unwrap_err();
        assert!(said.starts_with("talks.yaml: "), "{said}");
    }
}
