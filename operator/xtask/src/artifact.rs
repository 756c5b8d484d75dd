//! Programs that cargo has built: where they are.

use std::path::PathBuf;

use serde::Deserialize;

/// A message of cargo's, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// The program of that name, from what `cargo build --message-format=json` printed.
pub(crate) fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| message.target.as_ref().is_some_and(|target| target.name == name))
        .find_map(|message| message.executable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_found_among_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"webinar_operator"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"other"},"executable":"/t/other"}
{"reason":"compiler-artifact","target":{"name":"webinar-operator"},"executable":"/t/webinar-operator"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(
            executable(messages, "webinar-operator"),
            Some(PathBuf::from("/t/webinar-operator"))
        );
        assert_eq!(executable("{}", "webinar-operator"), None);
    }
}
