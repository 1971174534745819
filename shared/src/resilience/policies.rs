//! THE TABLE: every timeout, attempt count, backoff and bulkhead there is.
//!
//! One row per intent here, one per dependency with its breaker and retry budget in
//! `policies/dependencies.rs`, what belongs to no single call in `policies/times.rs`
//! and, for scheduled jobs, `policies/jobs.rs`.
//! No millisecond is written anywhere else. `policies/routes.rs` keeps the worst case
//! of every route below the gateway's limit, at compile time.

mod dependencies;
mod jobs;
mod routes;
mod times;

pub use dependencies::{DEPENDENCIES, Dependency, DependencyPolicy};
pub use jobs::*;
pub use times::*;

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
    /// Adding a version of a secret, or moving its stages; safe to repeat.
    SecretWrite,
    /// Asking how full a queue is.
    QueueInspect,
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
pub const POLICIES: [Policy; 25] = [
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
    // Nobody waits for a rotation, and a step that fails is tried again.
    Policy {
        intent: Intent::SecretWrite,
        dependency: Dependency::Secrets,
        attempt_timeout_ms: 3_000,
        attempts_max: 2,
        bulkhead: 4,
        ..PAUSES
    },
    // For people, who look again: every queue and its dead letters at the same moment.
    Policy {
        intent: Intent::QueueInspect,
        dependency: Dependency::Queues,
        attempt_timeout_ms: 1_000,
        attempts_max: 1,
        bulkhead: 16,
        ..PAUSES
    },
];

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
