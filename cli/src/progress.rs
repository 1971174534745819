//! Steps with a spinner on a terminal, and plain lines elsewhere.

use anyhow::Result;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::Cell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Shows the steps of one command.
pub(crate) struct Progress {
    bars: MultiProgress,
    terminal: bool,
    silent: bool,
}

/// One step under way.
pub(crate) struct Step {
    bar: ProgressBar,
    title: &'static str,
    plain_lines: bool,
    last_line: Cell<Instant>,
}

impl Progress {
    /// Draws on standard output.
    pub(crate) fn new() -> Self {
        let terminal = std::io::stdout().is_terminal();
        let target = if terminal {
            ProgressDrawTarget::stdout()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            bars: MultiProgress::with_draw_target(target),
            terminal,
            silent: false,
        }
    }

    /// Says nothing, for a command whose standard output is read by a program.
    pub(crate) fn silent() -> Self {
        Self {
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()),
            terminal: false,
            silent: true,
        }
    }

    /// Runs a step. Its work answers with a value and a few words about what it did.
    ///
    /// # Errors
    /// Those of the work.
    pub(crate) async fn step<T>(
        &self,
        title: &'static str,
        work: impl AsyncFnOnce(&Step) -> Result<(T, String)>,
    ) -> Result<T> {
        let begin = Instant::now();
        let step = self.begin(title);
        let outcome = work(&step).await;
        step.bar.finish_and_clear();
        let seconds = begin.elapsed().as_secs_f32();
        match outcome {
            Ok((value, words)) => {
                self.line(&format!("  ok  {title:<22} {words:<46} {seconds:>6.1} s"));
                Ok(value)
            }
            Err(error) => {
                self.line(&format!("FAIL  {title:<22} {:<46} {seconds:>6.1} s", ""));
                Err(error)
            }
        }
    }

    /// Prints a line above the bars.
    pub(crate) fn line(&self, text: &str) {
        if self.silent {
            return;
        }
        // Hidden bars swallow what is printed above them.
        if !self.terminal || self.bars.println(text).is_err() {
            println!("{text}");
        }
    }

    fn begin(&self, title: &'static str) -> Step {
        let bar = self.bars.add(ProgressBar::new_spinner());
        if let Ok(style) =
            ProgressStyle::with_template("  {spinner} {prefix:<22} {wide_msg} {elapsed}")
        {
            bar.set_style(style);
        }
        bar.set_prefix(title);
        if self.terminal {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Step {
            bar,
            title,
            plain_lines: !self.terminal && !self.silent,
            last_line: Cell::new(Instant::now()),
        }
    }
}

impl Step {
    /// Says what the step is at. Without a terminal, one line in ten seconds is enough.
    pub(crate) fn say(&self, words: String) {
        const PAUSE: Duration = Duration::from_secs(10);
        if self.plain_lines && self.last_line.get().elapsed() > PAUSE {
            println!("  ..  {:<22} {words}", self.title);
            self.last_line.set(Instant::now());
        }
        self.bar.set_message(words);
    }
}
