//! Logs, and the spans that traces are made of.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use kube::ResourceExt as _;
use kube::core::DeserializeGuard;
use tracing::Span;
use tracing::field::Empty;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};
use webinar_api::Webinar;
use webinar_plan::Phase;

use crate::cli::{LogFormat, RunArgs};
use crate::error::Error;

/// The target of the span of a pass.
pub(crate) const PASS: &str = "webinar_operator::pass";

/// What is to be kept until the operator stops.
pub(crate) struct Telemetry {
    #[cfg(feature = "otlp")]
    _traces: Option<crate::traces::Traces>,
}

/// Starts logging to standard error, and traces if the program has them.
///
/// # Errors
///
/// The directives or the environment can't be read, or logging was started before.
pub(crate) fn start(args: &RunArgs) -> anyhow::Result<Telemetry> {
    let filter = EnvFilter::try_new(&args.log_filter).with_context(|| {
        format!(
            "--log-filter {:?} is not a list of tracing directives",
            args.log_filter
        )
    })?;
    // Before each line of a pass the fields of its span would only repeat what the line says.
    let filter = filter.add_directive(format!("{PASS}=off").parse()?);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let lines = match args.log_format {
        LogFormat::Text => {
            let fields = debug_fn(|out, field, value| match field.name() {
                "message" => out.write_str(&on_one_line(&format!("{value:?}"))),
                name => write!(out, "{name}={}", on_one_line(&format!("{value:?}"))),
            });
            lines.fmt_fields(fields.delimited(" ")).boxed()
        }
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter));
    #[cfg(feature = "otlp")]
    let (layer, _traces) = crate::traces::start()?.unzip();
    #[cfg(feature = "otlp")]
    let subscriber = subscriber.with(layer);
    subscriber
        .try_init()
        .map_err(|error| anyhow::anyhow!("logging can't be started: {error}"))?;
    Ok(Telemetry {
        #[cfg(feature = "otlp")]
        _traces,
    })
}

/// The span of one pass over `webinar`. Nothing else is ever put into it than what is named here.
pub(crate) fn begin(webinar: &DeserializeGuard<Webinar>) -> Span {
    tracing::info_span!(
        target: PASS,
        "pass",
        namespace = webinar.namespace(),
        webinar = webinar.name_any(),
        phase = Empty,
        result = Empty,
        otel.status_code = Empty,
    )
}

/// Adds the phase that was planned to the span of the pass under way.
pub(crate) fn decided(phase: Option<Phase>) {
    Span::current().record("phase", phase.map(Phase::as_str));
}

/// Adds how the pass went. Of an error only its kind is told: its text may quote what the API server answered.
pub(crate) fn end(pass: &Span, error: Option<&Error>) {
    pass.record("result", error.map_or("ok", Error::kind));
    if error.is_some() {
        pass.record("otel.status_code", "ERROR");
    }
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
