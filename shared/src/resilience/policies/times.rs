//! Times and counts that belong to no single call: deadlines, leases, pauses, ages.

use std::time::Duration;

use super::{Dependency, Intent, worst_case_ms};

/// An attempt that took so much of its timeout counts as failed for the breaker.
pub const SLOW_PERCENT: u32 = 80;

/// The first attempt is not started with less than so much of its timeout left: it
/// would likely be cut off, and its effect not known.
pub const WORTH_STARTING_PERCENT: u32 = 25;

/// How long calls and retries are counted together for a retry budget.
pub const RETRY_WINDOW: Duration = Duration::from_secs(10);

/// How long kill switches and breakers are taken for granted before they are read again.
pub const CONTROL_TTL: Duration = Duration::from_secs(5);

/// How long the environment that was elected to probe keeps the others from it.
pub const PROBE_LEASE: Duration = Duration::from_secs(20);

/// How long an environment that was not elected leaves it at that.
pub const PROBE_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// When to ask again for what an operator has switched off.
pub const DISABLED_RETRY_AFTER: Duration = Duration::from_secs(60);

/// The deadline of one HTTP request. The gateway gives up after 30 s and the
/// functions' own timeout is 15 s; our answer must be out before both.
pub const REQUEST_TIMEOUT: Duration = Duration::from_millis(14_000);

/// The timeout that `template.yaml` gives to the functions of queues and schedules.
pub const WORKER_FUNCTION_TIMEOUT: Duration = Duration::from_millis(60_000);

/// The deadline of one batch of messages or one scheduled run.
pub const BATCH_TIMEOUT: Duration = Duration::from_millis(50_000);

/// The longest that one message of a batch may take. Longer than an order or a mail takes when each
/// call takes as long as it may, as long as the database does not fail over in the middle; so short
/// that after one that hangs others are begun. Whoever is cut off then is held by leases and keys.
pub const RECORD_TIMEOUT: Duration = Duration::from_millis(22_000);

/// What a batch leaves at its end for saying what becomes of its messages: the last one is set
/// aside, and others are given back until the queue's breaker opens.
pub const DISPOSE_RESERVE: Duration = Duration::from_millis(5_000);

/// What is left at the end to write an answer down and send it: whoever has
/// charged must answer, whatever the database does.
pub const ANSWER_MARGIN: Duration = Duration::from_millis(250);

/// The longest that finishing one accepted order takes: with less time left, the
/// next one is not to be begun. Connect, place, charge, record. Only the first
/// transaction is to connect; after a failover the others would have to as well.
const ORDER_TIMEOUT: Duration = Duration::from_millis(
    (worst_case_ms(Intent::DatabaseConnect)
        + 2 * worst_case_ms(Intent::DatabaseWrite)
        + worst_case_ms(Intent::PaymentWrite)) as u64,
);

/// How much of its time the sweeper leaves to its other jobs while it finishes
/// accepted orders.
pub const INTENTS_RESERVE: Duration = Duration::from_millis(25_000);

/// How much it leaves to the jobs after that while it settles payments.
pub const SETTLE_RESERVE: Duration = Duration::from_millis(18_000);

/// How much it leaves to the jobs after those that ask the provider about one thing after the
/// other: refunds, reservations, closed accounts. Among them is the outbox.
pub const EACH_RESERVE: Duration = Duration::from_millis(12_000);

const _: () = assert!(
    EACH_RESERVE.as_millis() < SETTLE_RESERVE.as_millis()
        && ORDER_TIMEOUT.as_millis() <= SETTLE_RESERVE.as_millis()
        && SETTLE_RESERVE.as_millis() < INTENTS_RESERVE.as_millis()
);

const _: () = {
    assert!(
        2 * RECORD_TIMEOUT.as_millis() < BATCH_TIMEOUT.as_millis(),
        "a message that hangs leaves no time for another"
    );
    assert!(
        BATCH_TIMEOUT.as_millis() + DISPOSE_RESERVE.as_millis() + ANSWER_MARGIN.as_millis()
            <= WORKER_FUNCTION_TIMEOUT.as_millis(),
        "a batch is not answered before its function ends"
    );
    // What was done is noted in the journal, in a transaction of its own.
    let noted = worst_case_ms(Intent::DatabaseWrite) as u128;
    assert!(
        ORDER_TIMEOUT.as_millis() + noted <= RECORD_TIMEOUT.as_millis(),
        "an order may take longer than a message"
    );
    // A mail: connect, begin, both providers, end. Connected once, as above.
    let mail = worst_case_ms(Intent::DatabaseConnect)
        + 2 * worst_case_ms(Intent::DatabaseWrite)
        + worst_case_ms(Intent::MailSend)
        + worst_case_ms(Intent::MailSendSecondary);
    assert!(
        mail as u128 + noted <= RECORD_TIMEOUT.as_millis(),
        "a mail may take longer than a message"
    );
    assert!(
        RECORD_TIMEOUT.as_millis() <= MAIL_LEASE.as_millis(),
        "a mail that is being sent could be sent by another"
    );
    let given_back =
        Dependency::Queues.policy().failures_max * worst_case_ms(Intent::QueuePostpone);
    assert!((worst_case_ms(Intent::QueueSend) + given_back) as u128 <= DISPOSE_RESERVE.as_millis());
};

/// How long the first attempt of an idempotent request keeps others out.
/// Longer than any request can run, so that nobody takes over a live one.
pub const IDEMPOTENCY_LEASE: Duration = Duration::from_millis(30_000);

/// How long somebody who sends a mail keeps others from sending it. Longer than
/// both providers may take.
pub const MAIL_LEASE: Duration = Duration::from_secs(30);

/// What publishing may add to a request; what was not sent by then is left to the sweeper. Nothing
/// is begun in its last 200 ms, too few for a send.
pub const PUBLISH_TIMEOUT: Duration = Duration::from_millis(400);

/// How long a request waits while others publish events of the same aggregate: as the last of
/// several webhooks of one payment does.
pub const PUBLISH_WAIT: Duration = Duration::from_millis(400);

/// Between two looks whether they still do.
pub const PUBLISH_PAUSE: Duration = Duration::from_millis(20);

/// How long a message waits after its first, second, … failure; then always the last.
pub const REDELIVERY_PAUSES: [Duration; 5] = [
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
];

/// So long after it was published, an event that nobody handled counts as lost. Longer than the
/// longest pause between two tries.
pub const CONSUMED_WITHIN: Duration = Duration::from_secs(60 * 60);

/// How often a message is taken that fails for a reason of our own making.
pub const DEFECTIVE_RECEIVES_MAX: u32 = 5;

/// How often one is taken that fails for a reason that passes: four hours with these pauses.
/// What lasts longer is left to the replayer. Less than the `maxReceiveCount` of every queue,
/// so that the consumer is the one who gives up, and says why.
pub const TRANSIENT_RECEIVES_MAX: u32 = 20;

/// The longest pause before a dead letter is replayed for the first time by itself; twice as
/// long before each further time.
pub const REPLAY_BACKOFF: Duration = Duration::from_secs(2 * 60);

/// The longest of these pauses.
pub const REPLAY_BACKOFF_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How often a dead letter is replayed by itself, over about two days, before somebody must
/// look at it.
pub const REPLAYS_MAX: i32 = 12;

/// Between two replays at least, so that however many there are, consumers are free for what is new.
pub const REPLAY_PACE: Duration = Duration::from_millis(100);

/// The replayer is at work for one part in so many of its time: what takes it longer than usual
/// takes others longer as well.
pub const REPLAY_SHARE: u32 = 5;

/// Between two replays at most, however long the one before took.
pub const REPLAY_PACE_MAX: Duration = Duration::from_millis(500);

/// After nothing was due, the replayer looks again so much later for what had to wait for an
/// earlier event of its aggregate.
pub const REPLAY_IDLE: Duration = Duration::from_secs(1);

/// What a run of the replayer leaves at its end: a send and a transaction.
pub const REPLAY_RESERVE: Duration = Duration::from_millis(
    (worst_case_ms(Intent::DatabaseConnect)
        + 2 * worst_case_ms(Intent::DatabaseWrite)
        + worst_case_ms(Intent::QueueSend)) as u64,
);

/// After so long without a word from its consumer, a replayed dead letter is sent again.
/// Longer than a message stays unseen whose consumer was killed.
pub const REPLAY_ANSWER_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// How long a dead letter that is done with is kept, for whoever asks.
pub const DEAD_LETTERS_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

const _: () = assert!(REPLAY_RESERVE.as_millis() < BATCH_TIMEOUT.as_millis() / 2);

/// How long stock is held for a payment that the customer must still authenticate.
pub const RESERVATION_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Between two comparisons of our payments with the provider's own list.
pub const RECONCILE_PAUSE: Duration = Duration::from_secs(10 * 60);

/// How far back a comparison looks again: a payment may be charged later than it
/// was made, until its reservation ends.
pub const RECONCILE_OVERLAP: Duration = Duration::from_secs(60 * 60);

/// What one comparison looks at at most, so that it catches up after a long
/// outage step by step.
pub const RECONCILE_STEP: Duration = Duration::from_secs(6 * 60 * 60);

/// Payments younger than this are left to the request that is making them.
pub const RECONCILE_SETTLED: Duration = Duration::from_secs(2 * 60);

/// How long the server lets one statement run.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_millis(2_500);

/// How long a pooled connection may be idle before it is tried out before use.
pub const VALIDATE_IDLE_AFTER: Duration = Duration::from_secs(5);

/// How long that trial may take.
pub const VALIDATE_TIMEOUT: Duration = Duration::from_millis(300);

/// How long one database node is waited for when all are asked what they are.
/// Less than an attempt to connect, so that what was found out is of use to it.
pub const NODE_ANSWER_TIMEOUT: Duration = Duration::from_millis(600);

/// Once a node that accepts writes has answered, the others get this long: an old
/// primary that was just woken may be the first to answer.
pub const NODE_ANSWER_GRACE: Duration = Duration::from_millis(200);

/// A node that hung is waited for again after this long.
pub const NODE_AVOIDED_FOR: Duration = Duration::from_secs(10);

/// How long the nodes' roles are taken for granted.
pub const NODE_ROLES_TTL: Duration = Duration::from_secs(1);

/// A transaction that is given up after this long may have been cut off by a hung server.
pub const TRANSACTION_SUSPECT_AFTER: Duration = Duration::from_millis(2_500);

/// How long a secret's value is used before it is read again.
pub const SECRET_TTL: Duration = Duration::from_secs(300);

/// While a secret cannot be read again, the next attempt waits this long: not
/// every request shall pay for one.
pub const SECRET_READ_PAUSE: Duration = Duration::from_secs(5);

/// How long the public signing keys are used before they are read again.
pub const PUBLIC_KEYS_TTL: Duration = Duration::from_secs(30);

/// An unknown key id causes a read at most this often.
pub const PUBLIC_KEYS_MISS_INTERVAL: Duration = Duration::from_secs(5);

/// How long the bucket takes an upload that was signed.
pub const UPLOAD_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// When to ask again after readiness said that the shop cannot sell.
pub const READINESS_RETRY_AFTER: Duration = Duration::from_secs(5);

/// How long a warmed environment stays busy, so that the next of several
/// warm-ups at once finds another one. Longer than it takes to send them all.
pub const WARM_UP_HOLD: Duration = Duration::from_millis(300);

/// How long it is taken for granted that an account's tokens were not ended.
pub const SESSION_CHECK_TTL: Duration = Duration::from_secs(30);

/// After a check that failed, the next one waits this long.
pub const SESSION_CHECK_PAUSE: Duration = Duration::from_secs(5);

/// After a limit check that failed, the next one waits this long.
pub const LIMIT_CHECK_PAUSE: Duration = Duration::from_secs(5);

/// Password hashes computed at once in one environment: each takes 19 MiB and a whole core.
pub const PASSWORD_HASHES_MAX: usize = 2;

/// How long a sign-in takes at most to hash its password anew: no longer than the
/// session takes that is begun meanwhile.
pub const PASSWORD_RENEW_TIMEOUT: Duration =
    Duration::from_millis(worst_case_ms(Intent::DynamoWrite) as u64);

/// How long the session store may take to end an account's sessions, whose end is
/// stored already.
pub const SESSIONS_END_TIMEOUT: Duration = Duration::from_millis(1_500);

/// The soonest answer of a route that must not tell by its speed whether an
/// address has an account.
pub const ACCOUNT_LOOKUP_FLOOR: Duration = Duration::from_millis(250);

/// How long a read is kept after it went stale, to be served while nothing newer can be had.
pub const LAST_GOOD_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// After a read failed, older ones are served for so long before the next is
/// tried; twice as long after each that failed as well.
pub const READ_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// The longest of these pauses.
pub const READ_AGAIN_AFTER_MAX: Duration = Duration::from_secs(10);

/// A read that can be answered with an older one waits this long for the
/// database: long enough for a second node when the first is dead.
pub const READ_PATIENCE: Duration = Duration::from_millis(2_000);

/// How long a read of the last-good catalogue is kept before it is fetched again.
pub const LAST_GOOD_FRESH: Duration = Duration::from_secs(5);

/// How far the clocks of two machines may be apart.
pub const CLOCK_SKEW: Duration = Duration::from_secs(2);

/// How long the sweeper may take in one run for the first comparison of the
/// last-good catalogue with the whole database.
pub const CATALOGUE_PASS_BUDGET: Duration = Duration::from_secs(20);

/// How far a replica is behind at most, normally: so long after a write its
/// writer reads from the writer.
pub const REPLICA_LAG: Duration = Duration::from_secs(5);

/// Between two trials of a new login at a node that does not know it yet.
pub const LOGIN_TRIAL_PAUSE: Duration = Duration::from_millis(100);

/// How long a target that stood in for the first one is begun with.
pub const FAILOVER_KEPT: Duration = Duration::from_secs(30);

/// How long reports of browsers are counted together, to see whether there are too many.
pub const REPORT_WINDOW: Duration = Duration::from_secs(10);

/// So many reported events of one window are kept all; of more, one in ten, then one in a hundred.
pub const REPORTED_MAX: u32 = 2_000;

/// How old a reported event may be: as long as repeats of it are told apart.
pub const REPORTED_WITHIN: Duration = Duration::from_secs(24 * 60 * 60);

/// How far ahead a browser's clock may be.
pub const REPORTED_AHEAD: Duration = Duration::from_secs(5 * 60);

/// How long it is remembered which events were reported, and who was there.
pub const REPORTS_KEPT: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// How long the console's overview waits for a part of it: what else there is to see is worth more.
pub const OVERVIEW_PATIENCE: Duration = Duration::from_millis(3_000);

/// How old the figures for the shop's admins may be.
pub const FIGURES_TTL: Duration = Duration::from_secs(30);
