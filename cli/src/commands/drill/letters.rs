//! `drill dead-letters`: a defect of the mailer lets messages die while customers come and go, it
//! is mended, and all are replayed in bulk while the replayer is killed.

use super::shown::{act, after, checked, figures};
use super::{Options, Told, prepare, settled};
use crate::commands::dlq::Desk;
use crate::emulator;
use crate::progress::{Progress, Step};
use anyhow::{Result, bail, ensure};
use local::drill::letters::{Letters, QUEUE, TYPE, break_mailer, mend_mailer};
use local::drill::{Compared, Report, Scene, Stretch, Traffic, check};
use local::process::{self, Signal, environments_of};
use local::stack::STAGE;
use local::{Port, Stack, postgres};
use rand::RngExt;
use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use std::cell::Cell;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// What it is called.
pub(super) const WHAT: &str = "dead-letters";

/// Who comes and goes: few enough for two cores to have time left, or how long they wait says
/// nothing about the replay.
const CUSTOMERS: u16 = 3;

/// One message in so many can never work.
const ONE_IN: u16 = 50;

/// The replayer sends ten a second at most: so long lasts the sending of one.
const PACE: Duration = Duration::from_millis(100);

/// Traffic right before the replay and right after it, to compare with; each so long.
/// Whole minutes, because the schedules come each minute.
const QUIET: Duration = Duration::from_secs(120);

/// A defect is tried five times, with pauses of more than six minutes in all.
const DYING: Duration = Duration::from_secs(15 * 60);

/// The schedule comes each minute; what a killed replayer was about to keep is seen again after
/// six.
const REPLAYING: Duration = Duration::from_secs(20 * 60);

/// How often the replayer is killed.
const KILLS: u32 = 10;

/// A run lasts at least so long before it is killed: it must have begun.
const BEFORE_KILL: Duration = Duration::from_millis(600);

/// One that was killed has no answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// The aim: so much slower than without a replay may live traffic be.
const RATIO_MAX: f64 = 1.2;

/// What happened when, since the traffic began.
struct Played {
    /// Right before the replay, and right after it.
    quiet: [Stretch; 2],
    replay: Replay,
    /// From the first message until the last one was parked.
    died_within: Duration,
    letters: Letters,
}

/// When what of the replay happened, since the traffic began.
#[derive(Default)]
struct Replay {
    /// When it was asked for.
    from: Duration,
    /// When the first of them had its effect.
    began: Duration,
    /// From the first kill to the last.
    killing: Stretch,
    /// When all were done with.
    until: Duration,
    kills: u32,
}

/// What the drill showed.
struct Shown {
    beside: Compared,
    killing: Compared,
    played: Played,
    settled: Option<Duration>,
    report: Report,
}

/// Plays it.
///
/// # Errors
/// The stack is not well to begin with, or messages neither die nor come through in time.
pub(super) async fn drill(stack: &Stack, options: &Options, progress: &Progress) -> Result<Told> {
    ensure!(
        options.kind.is_none(),
        "There is only one kind of drill {WHAT}."
    );
    let customers = options.customers.unwrap_or(CUSTOMERS);
    let scene = prepare(stack, customers, progress).await?;
    let writer = postgres::writer(stack).await?;
    let mut db = postgres::connect(stack, writer, postgres::DATABASE).await?;
    // What is left of a drill that was cut off.
    mend_mailer(&mut db).await?;
    let traffic = Traffic::start(&scene);
    let play = Play {
        stack,
        scene: &scene,
        traffic: &traffic,
        progress,
    };
    let played = play.all(&mut db, options.letters).await;
    // Also when it did not go well.
    mend_mailer(&mut db).await?;
    let played = played?;
    let (answers, outcomes) = traffic.end().await;
    let settled = settled(&mut db, progress).await?;
    let mut report = check(&mut db, &stack.url(Port::Payments), &outcomes, &scene.goods).await?;
    let broken = played.letters.check(stack, &mut db).await?;
    report.violations.extend(broken);
    let compared = |beside| Compared::of(&answers, &played.quiet, beside);
    let shown = Shown {
        beside: compared((played.replay.began, played.replay.until)),
        killing: compared(played.replay.killing),
        played,
        settled,
        report,
    };
    Ok(shown.told())
}

struct Play<'a> {
    stack: &'a Stack,
    scene: &'a Scene,
    traffic: &'a Traffic,
    progress: &'a Progress,
}

impl Play<'_> {
    async fn all(&self, db: &mut PgConnection, count: u16) -> Result<Played> {
        let began = Instant::now();
        break_mailer(db).await?;
        let letters = self.write(db, count).await?;
        self.dying(db, &letters).await?;
        let died_within = began.elapsed();
        mend_mailer(db).await?;
        let before = self.quiet().await?;
        let replay = self.replay(db, &letters).await?;
        Ok(Played {
            quiet: [before, self.quiet().await?],
            replay,
            died_within,
            letters,
        })
    }

    async fn quiet(&self) -> Result<Stretch> {
        let from = self.traffic.elapsed();
        self.progress
            .step("quiet traffic", async |_| {
                tokio::time::sleep(QUIET).await;
                Ok(((), "to compare with".to_owned()))
            })
            .await?;
        Ok((from, self.traffic.elapsed()))
    }

    async fn write(&self, db: &mut PgConnection, count: u16) -> Result<Letters> {
        let poison = count / ONE_IN;
        self.progress
            .step("defect", async |_| {
                let counts = (usize::from(count - poison), usize::from(poison));
                let letters = Letters::write(self.scene, db, counts).await?;
                let words = format!("{} registered, {poison} for ever", count - poison);
                Ok((letters, words))
            })
            .await
    }

    /// Waits until each was given up by its consumer and kept by the replayer.
    async fn dying(&self, db: &mut PgConnection, letters: &Letters) -> Result<()> {
        let all = i64::try_from(letters.events().len())?;
        let began = Instant::now();
        self.progress
            .step("dying", async |step| {
                loop {
                    let parked = letters.standing(db).await?.parked;
                    if parked == all {
                        return Ok(((), format!("{all} dead letters")));
                    }
                    ensure!(
                        began.elapsed() < DYING,
                        "Only {parked} of {all} messages died. Look at: cargo holdfast logs mailer"
                    );
                    step.say(format!("{parked} of {all} given up, after five tries each"));
                    tokio::time::sleep(PAUSE).await;
                }
            })
            .await
    }

    /// Replays them as an admin does.
    async fn replay(&self, db: &mut PgConnection, letters: &Letters) -> Result<Replay> {
        // A code of the second factor may have to be waited for, which is no part of it.
        let desk = Desk::open(self.stack).await?.stepped_up().await?;
        let from = self.traffic.elapsed();
        let mut played = Replay {
            from,
            began: from,
            ..Replay::default()
        };
        self.progress
            .step("replaying", async |step| {
                let (replay, _) = desk.replay_all(QUEUE, TYPE).await?;
                let following = Following {
                    letters,
                    replay,
                    done: Cell::new(0),
                };
                tokio::select! {
                    done = following.all(db, step) => done?,
                    () = self.disturb(&following, &mut played) => {}
                }
                let words = format!("the replayer was killed {} times", played.kills);
                Ok(((), words))
            })
            .await?;
        played.until = self.traffic.elapsed();
        Ok(played)
    }

    /// Leaves the first half alone, kills the replayer again and again while it sends the second,
    /// then leaves the rest to its schedule. Never ends.
    async fn disturb(&self, following: &Following<'_>, played: &mut Replay) {
        following.until(1).await;
        played.began = self.traffic.elapsed();
        let half = following.letters.events().len() / 2;
        following.until(half).await;
        let halved = self.traffic.elapsed();
        let run_max = (PACE * u32::try_from(half).unwrap_or(u32::MAX) / KILLS).max(BEFORE_KILL * 2);
        while played.kills < KILLS {
            let run = rand::rng().random_range(BEFORE_KILL..run_max);
            let killed = kill_after(self.stack, run).await;
            played.kills += u32::from(killed);
            played.killing = (halved, self.traffic.elapsed());
        }
        std::future::pending().await
    }
}

/// What is known of the messages while they are replayed.
struct Following<'a> {
    letters: &'a Letters,
    replay: Uuid,
    /// How many are replayed or parked again.
    done: Cell<usize>,
}

impl Following<'_> {
    /// Waits until each is replayed or parked again.
    async fn all(&self, db: &mut PgConnection, step: &Step) -> Result<()> {
        let (good, poison) = (self.letters.good.len(), self.letters.poison.len());
        let began = Instant::now();
        loop {
            // Of whichever replay: one whose message came once more by itself is done with before.
            let standing = self.letters.standing(db).await?;
            let replayed = usize::try_from(standing.replayed)?;
            let parked = usize::try_from(standing.parked)?;
            if (replayed, parked) == (good, poison) {
                return Ok(());
            }
            if began.elapsed() > REPLAYING {
                bail!(
                    "{replayed} of {good} are replayed, {parked} of {poison} parked. They are not \
                     lost: cargo holdfast dlq stats --replay {} --follow",
                    self.replay
                );
            }
            // All are parked until the replay is written down.
            self.done.set(replayed);
            step.say(format!("{replayed} replayed, {parked} parked"));
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until so many are replayed.
    async fn until(&self, count: usize) {
        while self.done.get() < count {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Has the replayer run for so long and kills all that it runs in; whether there was any.
async fn kill_after(stack: &Stack, run: Duration) -> bool {
    let function = format!("holdfast-{STAGE}-dlq-replayer");
    let tick = tokio::time::timeout(PATIENCE, emulator::invoke(stack, &function));
    let kill = async {
        tokio::time::sleep(run).await;
        let environments = environments_of(stack, "dlq-replayer");
        for pid in &environments {
            process::send(*pid, Signal::Kill);
        }
        !environments.is_empty()
    };
    // Whether it answers is of no interest: it is killed.
    let (_, killed) = tokio::join!(tick, kill);
    killed
}

impl Shown {
    fn told(&self) -> Told {
        let played = &self.played;
        let lasted = played.replay.until.saturating_sub(played.replay.from);
        Told {
            violations: self.report.violations.len(),
            text: self.text(lasted),
            json: json!({
                "what": WHAT,
                "letters": played.letters.events().len(),
                "good": played.letters.good.len(),
                "poison": played.letters.poison.len(),
                "died_within_s": played.died_within.as_secs_f32(),
                "replayed_within_s": lasted.as_secs_f32(),
                "kills": played.replay.kills,
                "quiet": figures(&self.beside.quiet),
                "quiet_p99_ms": self.beside.quiet_p99.as_millis(),
                "beside": beside(&self.beside),
                "killing": beside(&self.killing),
                "settled_s": self.settled.map(|settled| settled.as_secs_f32()),
                "acknowledged": self.report.acknowledged,
                "orders": self.report.orders,
                "charges": self.report.charges,
                "violations": self.report.violations,
            }),
        }
    }

    fn text(&self, lasted: Duration) -> String {
        let played = &self.played;
        let (good, poison) = (played.letters.good.len(), played.letters.poison.len());
        let mut lines = vec![
            format!("\n{WHAT}: {} messages", good + poison),
            format!(
                "  died within {:.0} s, replayed within {:.0} s, the replayer was killed {} times",
                played.died_within.as_secs_f32(),
                lasted.as_secs_f32(),
                played.replay.kills
            ),
            "  right before and after the replay:".to_owned(),
        ];
        lines.extend(self.beside.quiet.iter().map(act));
        lines.push("  beside the replay, from its first effect to its last:".to_owned());
        lines.extend(self.beside.beside.iter().map(act));
        lines.push("  of that, while the replayer was killed:".to_owned());
        lines.extend(self.killing.beside.iter().map(act));
        lines.push(format!(
            "  p99 of all: {} ms before and after, {} ms beside the replay: × {:.2}, {}",
            self.beside.quiet_p99.as_millis(),
            self.beside.beside_p99.as_millis(),
            self.beside.ratio(),
            match self.beside.ratio() <= RATIO_MAX {
                true => format!("within the aim of × {RATIO_MAX:.2}"),
                false => format!("more than the aim of × {RATIO_MAX:.2}"),
            },
        ));
        lines.push(format!(
            "  while the replayer was killed: {} ms, × {:.2}",
            self.killing.beside_p99.as_millis(),
            self.killing.ratio(),
        ));
        lines.push(format!("  nothing under way {}", after(self.settled)));
        if self.report.violations.is_empty() {
            lines.push(format!(
                "  {good} mails sent, each once; {poison} parked, each with its reason"
            ));
        }
        lines.extend(checked(&self.report));
        lines.join("\n")
    }
}

/// How customers fared beside something, for programs.
fn beside(compared: &Compared) -> Value {
    json!({
        "acts": figures(&compared.beside),
        "p99_ms": compared.beside_p99.as_millis(),
        "p99_ratio": compared.ratio(),
    })
}
