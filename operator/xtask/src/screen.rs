//! What people see: steps with spinners and bars on a terminal, plain lines elsewhere.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::{Context as _, Result};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use webinar_testbed::wait::Stopwatch;

/// Where lines go.
#[derive(Debug)]
pub(crate) struct Screen {
    /// With `--json`, standard output is for the machine.
    to_stderr: bool,
    /// Only on a terminal.
    pub(crate) bars: Option<MultiProgress>,
}

impl Screen {
    /// Standard output, or standard error if the former is for a machine.
    pub(crate) fn new(to_stderr: bool) -> Self {
        let (terminal, target) = if to_stderr {
            (io::stderr().is_terminal(), ProgressDrawTarget::stderr())
        } else {
            (io::stdout().is_terminal(), ProgressDrawTarget::stdout())
        };
        Self {
            to_stderr,
            bars: terminal.then(|| MultiProgress::with_draw_target(target)),
        }
    }

    /// Writes a line, above the bars if there are any.
    pub(crate) fn say(&self, text: &str) {
        // Whoever reads may have gone; the demo plays on.
        _ = match &self.bars {
            Some(bars) => bars.println(text),
            None if self.to_stderr => writeln!(io::stderr(), "{text}"),
            None => writeln!(io::stdout(), "{text}"),
        };
    }

    /// Shows what is being done while it is done, and then what was done and how long it took.
    ///
    /// # Errors
    /// That of the work, naming the step.
    pub(crate) async fn step<T>(
        &self,
        doing: &str,
        done: &str,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let stopwatch = Stopwatch::start();
        let spinner = self.bars.as_ref().map(|bars| {
            let spinner = ProgressBar::new_spinner()
                .with_style(style("{spinner} {msg} … {elapsed}"))
                .with_message(doing.to_owned());
            spinner.enable_steady_tick(Duration::from_millis(100));
            bars.add(spinner)
        });
        if spinner.is_none() {
            self.say(&format!("· {doing} …"));
        }
        let outcome = work.await;
        if let Some(spinner) = spinner {
            spinner.finish_and_clear();
        }
        let outcome = outcome.with_context(|| doing.to_owned())?;
        self.say(&format!(
            "✓ {done:<52}{:>6.1} s",
            stopwatch.elapsed().as_secs_f64()
        ));
        Ok(outcome)
    }
}

/// A style of indicatif; a template that it does not understand gives its default.
pub(crate) fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
