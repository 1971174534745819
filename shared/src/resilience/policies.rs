//! THE TABLE: every timeout, attempt count, backoff and bulkhead there is.
//!
//! One row per intent here, one per dependency with its breaker and retry budget in
//! `policies/dependencies.rs`. No millisecond is written anywhere else. `policies/routes.rs`
//! keeps the worst case of every route below the gateway's limit, at compile time.

mod dependencies;

mod routes;

use std::time::Duration;

pub use dependencies::{DEPENDENCIES, Dependency, DependencyPolicy};

/// What a call is for. Two intents on one dependency never share a bulkhead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Intent {
    /// Opening a connection and finding out a node's role.
    DatabaseConnect,
    /// One read statement that may be repeated.
    DatabaseRead,
    /// One transaction, from `begin` to `commit`.
    DatabaseWrite,
    /// Reading an item.
    DynamoRead,
    /// A conditional write, safe to repeat.
    DynamoWrite,
    /// Looking at or fetching an object.
    ObjectRead,
    /// Writing an object under a key of its own; a repeat writes the same.
    ObjectWrite,
    /// Sending messages; a repeat is a duplicate that consumers drop.
    QueueSend,
    /// Reading a secret's value.
    SecretRead,
    /// Charging, cancelling and refunding, always under an idempotency key.
    PaymentWrite,
    /// Asking the provider what happened.
    PaymentRead,
    /// Handing a mail to the provider.
    MailSend,
    /// Keeping another function warm.
    FunctionInvoke,
    /// Asking whether an account's access tokens were ended early.
    SessionCheck,
    /// Reading kill switches and breakers.
    ControlRead,
    /// Writing one of them.
    ControlWrite,
    /// Reading a secret's replica in the other region.
    SecretReadSecondary,
    /// Handing a mail to the second provider.
    MailSendSecondary,
    /// Saying when a message is to be seen again.
    QueuePostpone,
    /// Counting a request on its caller's limit.
    LimitCheck,
    /// Looking whether an order was accepted without the database, on the way of every order.
    IntentRead,
    /// Fetching a small part of the last-good catalogue.
    CatalogueRead,
    /// Telling a worker of what is stored elsewhere; the sweeper finds it anyway.
    NudgeSend,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// The row's intent.
    pub intent: Intent,
    /// What is called: whose breaker and retry budget count.
    pub dependency: Dependency,
    /// How long one attempt may take.
    pub attempt_timeout_ms: u32,
    /// Attempts in all; 1 means no retry.
    pub attempts_max: u32,
    /// Full jitter: the n-th pause is random between 0 and `base * 2^n`, capped.
    pub backoff_base_ms: u32,
    /// The longest pause.
    pub backoff_cap_ms: u32,
    /// Calls of this intent at once in one environment; more are refused.
    pub bulkhead: usize,
}

/// The pauses of every row that does not say otherwise.
const PAUSES: Policy = Policy {
    intent: Intent::DatabaseConnect,
    dependency: Dependency::DatabaseWriter,
    attempt_timeout_ms: 0,
    attempts_max: 0,
    backoff_base_ms: 50,
    backoff_cap_ms: 500,
    bulkhead: 0,
};

/// The table, in the order of [`Intent`].
pub const POLICIES: [Policy; 23] = [
    // Five tries bridge a failover; each is short because a dead host answers at once or never.
    Policy {
        intent: Intent::DatabaseConnect,
        dependency: Dependency::DatabaseWriter,
        attempt_timeout_ms: 700,
        attempts_max: 5,
        bulkhead: 8,
        ..PAUSES
    },
    Policy {
        intent: Intent::DatabaseRead,
        dependency: Dependency::DatabaseReads,
        attempt_timeout_ms: 1_500,
        attempts_max: 2,
        bulkhead: 16,
        ..PAUSES
    },
    // A transaction is never repeated blindly: a lost commit is resolved by its key.
    Policy {
        intent: Intent::DatabaseWrite,
        dependency: Dependency::DatabaseWriter,
        attempt_timeout_ms: 3_000,
        attempts_max: 1,
        bulkhead: 16,
        ..PAUSES
    },
    Policy {
        intent: Intent::DynamoRead,
        dependency: Dependency::Dynamo,
        attempt_timeout_ms: 500,
        attempts_max: 3,
        bulkhead: 16,
        ..PAUSES
    },
    Policy {
        intent: Intent::DynamoWrite,
        dependency: Dependency::Dynamo,
        attempt_timeout_ms: 800,
        attempts_max: 2,
        bulkhead: 16,
        ..PAUSES
    },
    Policy {
        intent: Intent::ObjectRead,
        dependency: Dependency::Objects,
        attempt_timeout_ms: 1_500,
        attempts_max: 2,
        bulkhead: 8,
        ..PAUSES
    },
    // One attempt: ten megabytes take a while, and the caller can ask again.
    Policy {
        intent: Intent::ObjectWrite,
        dependency: Dependency::Objects,
        attempt_timeout_ms: 2_000,
        attempts_max: 1,
        bulkhead: 4,
        ..PAUSES
    },
    Policy {
        intent: Intent::QueueSend,
        dependency: Dependency::Queues,
        attempt_timeout_ms: 800,
        attempts_max: 2,
        bulkhead: 8,
        ..PAUSES
    },
    // One attempt: the other region is the second.
    Policy {
        intent: Intent::SecretRead,
        dependency: Dependency::Secrets,
        attempt_timeout_ms: 800,
        attempts_max: 1,
        bulkhead: 8,
        ..PAUSES
    },
    // One long attempt: the provider needs seconds for a card, and the key makes
    // a later repeat by the worker safe.
    Policy {
        intent: Intent::PaymentWrite,
        dependency: Dependency::Payments,
        attempt_timeout_ms: 6_000,
        attempts_max: 1,
        bulkhead: 16,
        ..PAUSES
    },
    Policy {
        intent: Intent::PaymentRead,
        dependency: Dependency::Payments,
        attempt_timeout_ms: 2_000,
        attempts_max: 2,
        bulkhead: 8,
        ..PAUSES
    },
    // One attempt: the other provider is the second, the queue the third.
    Policy {
        intent: Intent::MailSend,
        dependency: Dependency::Mail,
        attempt_timeout_ms: 3_000,
        attempts_max: 1,
        bulkhead: 4,
        ..PAUSES
    },
    // The warmed function answers only after touching its pool, so this waits for a cold start.
    Policy {
        intent: Intent::FunctionInvoke,
        dependency: Dependency::Functions,
        attempt_timeout_ms: 10_000,
        attempts_max: 1,
        bulkhead: 64,
        ..PAUSES
    },
    // In front of every signed-in request, and a token is good without an answer.
    Policy {
        intent: Intent::SessionCheck,
        dependency: Dependency::Dynamo,
        attempt_timeout_ms: 300,
        attempts_max: 1,
        bulkhead: 64,
        ..PAUSES
    },
    // In front of a request every few seconds, and what was known before will do.
    Policy {
        intent: Intent::ControlRead,
        dependency: Dependency::Dynamo,
        attempt_timeout_ms: 250,
        attempts_max: 1,
        bulkhead: 4,
        ..PAUSES
    },
    // Behind a call whose breaker has just opened or closed: somebody waits for its answer.
    Policy {
        intent: Intent::ControlWrite,
        dependency: Dependency::Dynamo,
        attempt_timeout_ms: 400,
        attempts_max: 1,
        bulkhead: 4,
        ..PAUSES
    },
    Policy {
        intent: Intent::SecretReadSecondary,
        dependency: Dependency::SecretsSecondary,
        attempt_timeout_ms: 800,
        attempts_max: 1,
        bulkhead: 8,
        ..PAUSES
    },
    // A connection of its own for each mail: greeting, TLS, sign-in, mail.
    Policy {
        intent: Intent::MailSendSecondary,
        dependency: Dependency::MailSecondary,
        attempt_timeout_ms: 5_000,
        attempts_max: 1,
        bulkhead: 4,
        ..PAUSES
    },
    // Without it the message only comes back later.
    Policy {
        intent: Intent::QueuePostpone,
        dependency: Dependency::Queues,
        attempt_timeout_ms: 500,
        attempts_max: 1,
        bulkhead: 8,
        ..PAUSES
    },
    // In front of every limited request, and without an answer the environment decides alone.
    Policy {
        intent: Intent::LimitCheck,
        dependency: Dependency::Limits,
        attempt_timeout_ms: 130,
        attempts_max: 1,
        bulkhead: 64,
        ..PAUSES
    },
    // On the way of every order and of every list of orders, which go on without it.
    Policy {
        intent: Intent::IntentRead,
        dependency: Dependency::Dynamo,
        attempt_timeout_ms: 300,
        attempts_max: 1,
        bulkhead: 64,
        ..PAUSES
    },
    // A few kilobytes each, and the request has waited for the database already.
    Policy {
        intent: Intent::CatalogueRead,
        dependency: Dependency::Objects,
        attempt_timeout_ms: 1_000,
        attempts_max: 2,
        bulkhead: 64,
        ..PAUSES
    },
    Policy {
        intent: Intent::NudgeSend,
        dependency: Dependency::Queues,
        attempt_timeout_ms: 300,
        attempts_max: 1,
        bulkhead: 8,
        ..PAUSES
    },
];

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

/// The deadline of one batch of messages or one scheduled run; the worker
/// functions' own timeout is 60 s.
pub const BATCH_TIMEOUT: Duration = Duration::from_millis(50_000);

/// What is left at the end to write an answer down and send it: whoever has
/// charged must answer, whatever the database does.
pub const ANSWER_MARGIN: Duration = Duration::from_millis(250);

/// The longest that finishing one accepted order takes: with less time left, the
/// next one is not begun. Connect, place, charge, record.
pub const ORDER_TIMEOUT: Duration = Duration::from_millis(
    (worst_case_ms(Intent::DatabaseConnect)
        + 2 * worst_case_ms(Intent::DatabaseWrite)
        + worst_case_ms(Intent::PaymentWrite)) as u64,
);

/// How much of its time the sweeper leaves to its other jobs while it finishes
/// accepted orders.
pub const SWEEP_RESERVE: Duration = Duration::from_millis(25_000);

/// How long the first attempt of an idempotent request keeps others out.
/// Longer than any request can run, so that nobody takes over a live one.
pub const IDEMPOTENCY_LEASE: Duration = Duration::from_millis(30_000);

/// How long somebody who sends a mail keeps others from sending it. Longer than
/// both providers may take.
pub const MAIL_LEASE: Duration = Duration::from_secs(30);

/// What publishing may add to a request; what was not sent by then is left to the sweeper.
pub const PUBLISH_TIMEOUT: Duration = Duration::from_millis(300);

/// How long a message waits after its first, second, … failure; then always the last.
pub const REDELIVERY_PAUSES: [Duration; 5] = [
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
];

/// How often a message is taken that fails for a reason of our own making.
pub const DEFECTIVE_RECEIVES_MAX: u32 = 5;

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

/// How long a target that stood in for the first one is begun with.
pub const FAILOVER_KEPT: Duration = Duration::from_secs(30);

/// The row of an intent.
pub const fn policy(intent: Intent) -> &'static Policy {
    &POLICIES[intent as usize]
}

/// The longest a call under `intent` can take, pauses included.
pub const fn worst_case_ms(intent: Intent) -> u32 {
    let policy = policy(intent);
    let mut total = policy.attempts_max * policy.attempt_timeout_ms;
    let mut pause = 1;
    while pause < policy.attempts_max {
        let exponential = policy.backoff_base_ms << pause;
        total += if exponential < policy.backoff_cap_ms {
            exponential
        } else {
            policy.backoff_cap_ms
        };
        pause += 1;
    }
    total
}
