//! Logs.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::debug_fn;

use crate::cli::{LogFormat, RunArgs};

/// Starts logging to standard error.
///
/// # Errors
///
/// The directives can't be read, or logging was started before.
pub(crate) fn start(args: &RunArgs) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&args.log_filter).with_context(|| {
        format!(
            "--log-filter {:?} is not a list of tracing directives",
            args.log_filter
        )
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match args.log_format {
        LogFormat::Text => {
            let fields = debug_fn(|out, field, value| match field.name() {
                "message" => out.write_str(&on_one_line(&format!("{value:?}"))),
                name => write!(out, "{name}={}", on_one_line(&format!("{value:?}"))),
            });
            lines.fmt_fields(fields.delimited(" ")).try_init()
        }
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging can't be started: {error}"))
}

/// What people wrote must not look like lines of ours: an order's reason may hold line breaks, or turn the direction of
/// writing.
fn on_one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let turns = matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || turns {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_one_line() {
        assert_eq!(
            on_one_line("caf\u{e9}\nERROR\r\u{1b}[2J\u{202e}x\u{2028}"),
            "caf\u{e9}\\nERROR\\r\\u{1b}[2J\\u{202e}x\\u{2028}"
        );
    }
}
