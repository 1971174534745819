//! THE TABLE: every timeout, attempt count, backoff and bulkhead there is.
//!
//! One row per dependency and intent. No millisecond is written anywhere else.
//! The assertions at the end keep the worst case of every route below the
//! gateway's limit, at compile time.

use std::time::Duration;

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
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// The row's intent.
    pub intent: Intent,
    /// The dependency's name in logs, metrics and `X-Degraded`.
    pub dependency: &'static str,
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
    dependency: "",
    attempt_timeout_ms: 0,
    attempts_max: 0,
    backoff_base_ms: 50,
    backoff_cap_ms: 500,
    bulkhead: 0,
};

/// The table, in the order of [`Intent`].
pub const POLICIES: [Policy; 14] = [
    // Five tries bridge a failover; each is short because a dead host answers at once or never.
    Policy {
        intent: Intent::DatabaseConnect,
        dependency: "database",
        attempt_timeout_ms: 700,
        attempts_max: 5,
        bulkhead: 8,
        ..PAUSES
    },
    Policy {
        intent: Intent::DatabaseRead,
        dependency: "database",
        attempt_timeout_ms: 1_500,
        attempts_max: 2,
        bulkhead: 16,
        ..PAUSES
    },
    // A transaction is never repeated blindly: a lost commit is resolved by its key.
    Policy {
        intent: Intent::DatabaseWrite,
        dependency: "database",
        attempt_timeout_ms: 3_000,
        attempts_max: 1,
        bulkhead: 16,
        ..PAUSES
    },
    Policy {
        intent: Intent::DynamoRead,
        dependency: "dynamodb",
        attempt_timeout_ms: 500,
        attempts_max: 3,
        bulkhead: 16,
        ..PAUSES
    },
    Policy {
        intent: Intent::DynamoWrite,
        dependency: "dynamodb",
        attempt_timeout_ms: 800,
        attempts_max: 2,
        bulkhead: 16,
        ..PAUSES
    },
    Policy {
        intent: Intent::ObjectRead,
        dependency: "s3",
        attempt_timeout_ms: 1_500,
        attempts_max: 2,
        bulkhead: 8,
        ..PAUSES
    },
    // One attempt: ten megabytes take a while, and the caller can ask again.
    Policy {
        intent: Intent::ObjectWrite,
        dependency: "s3",
        attempt_timeout_ms: 2_000,
        attempts_max: 1,
        bulkhead: 4,
        ..PAUSES
    },
    Policy {
        intent: Intent::QueueSend,
        dependency: "sqs",
        attempt_timeout_ms: 800,
        attempts_max: 2,
        bulkhead: 8,
        ..PAUSES
    },
    Policy {
        intent: Intent::SecretRead,
        dependency: "secretsmanager",
        attempt_timeout_ms: 2_000,
        attempts_max: 2,
        bulkhead: 8,
        ..PAUSES
    },
    // One long attempt: the provider needs seconds for a card, and the key makes
    // a later repeat by the worker safe.
    Policy {
        intent: Intent::PaymentWrite,
        dependency: "payments",
        attempt_timeout_ms: 6_000,
        attempts_max: 1,
        bulkhead: 16,
        ..PAUSES
    },
    Policy {
        intent: Intent::PaymentRead,
        dependency: "payments",
        attempt_timeout_ms: 2_000,
        attempts_max: 2,
        bulkhead: 8,
        ..PAUSES
    },
    Policy {
        intent: Intent::MailSend,
        dependency: "mail",
        attempt_timeout_ms: 3_000,
        attempts_max: 2,
        bulkhead: 4,
        ..PAUSES
    },
    // The warmed function answers only after touching its pool, so this waits for a cold start.
    Policy {
        intent: Intent::FunctionInvoke,
        dependency: "lambda",
        attempt_timeout_ms: 10_000,
        attempts_max: 1,
        bulkhead: 64,
        ..PAUSES
    },
    // In front of every signed-in request, and a token is good without an answer.
    Policy {
        intent: Intent::SessionCheck,
        dependency: "dynamodb",
        attempt_timeout_ms: 300,
        attempts_max: 1,
        bulkhead: 64,
        ..PAUSES
    },
];

/// The deadline of one HTTP request. The gateway gives up after 30 s and the
/// functions' own timeout is 15 s; our answer must be out before both.
pub const REQUEST_TIMEOUT: Duration = Duration::from_millis(14_000);

/// The deadline of one batch of messages or one scheduled run; the worker
/// functions' own timeout is 60 s.
pub const BATCH_TIMEOUT: Duration = Duration::from_millis(50_000);

/// How long the first attempt of an idempotent request keeps others out.
/// Longer than any request can run, so that nobody takes over a live one.
pub const IDEMPOTENCY_LEASE: Duration = Duration::from_millis(30_000);

/// How long stock is held for a payment that the customer must still authenticate.
pub const RESERVATION_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// How long the server lets one statement run.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_millis(2_500);

/// How long a pooled connection may be idle before it is tried out before use.
pub const VALIDATE_IDLE_AFTER: Duration = Duration::from_secs(5);

/// How long that trial may take.
pub const VALIDATE_TIMEOUT: Duration = Duration::from_millis(300);

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

/// A route's outside calls, one after the other, when everything goes as badly as it can.
struct Route {
    calls: &'static [Intent],
}

const ROUTES: &[Route] = &[
    // Catalogue reads: connect, list, last-good catalogue.
    Route {
        calls: &[
            Intent::DatabaseConnect,
            Intent::DatabaseRead,
            Intent::ObjectRead,
        ],
    },
    // Cart: read, price, write.
    Route {
        calls: &[
            Intent::DynamoRead,
            Intent::DatabaseConnect,
            Intent::DatabaseRead,
            Intent::DynamoWrite,
        ],
    },
    // Sign-in: account, session, key.
    Route {
        calls: &[
            Intent::DatabaseConnect,
            Intent::DatabaseRead,
            Intent::DynamoWrite,
            Intent::SecretRead,
        ],
    },
    // Refresh: family, account, family.
    Route {
        calls: &[
            Intent::DynamoRead,
            Intent::DatabaseConnect,
            Intent::DatabaseRead,
            Intent::DynamoWrite,
        ],
    },
    // Image: page, upload, published object, write.
    Route {
        calls: &[
            Intent::DatabaseConnect,
            Intent::ObjectRead,
            Intent::ObjectWrite,
            Intent::DatabaseWrite,
        ],
    },
    // Readiness asks everything at the same moment; this takes longest: login, nodes, schema.
    Route {
        calls: &[
            Intent::SecretRead,
            Intent::DatabaseConnect,
            Intent::DatabaseRead,
        ],
    },
];

const _: () = {
    let mut index = 0;
    while index < POLICIES.len() {
        assert!(
            POLICIES[index].intent as usize == index,
            "rows must stand in the order of Intent"
        );
        assert!(POLICIES[index].attempts_max > 0 && POLICIES[index].bulkhead > 0);
        index += 1;
    }
    let mut route = 0;
    while route < ROUTES.len() {
        let mut total = 0;
        let mut call = 0;
        while call < ROUTES[route].calls.len() {
            total += worst_case_ms(ROUTES[route].calls[call]);
            call += 1;
        }
        assert!(
            total as u128 <= REQUEST_TIMEOUT.as_millis(),
            "a route's worst case exceeds its deadline"
        );
        route += 1;
    }
    // Checkout: a transaction, the charge, a transaction. Connecting happens once.
    assert!(
        (2 * worst_case_ms(Intent::DatabaseWrite) + worst_case_ms(Intent::PaymentWrite)) as u128
            <= REQUEST_TIMEOUT.as_millis()
    );
};
