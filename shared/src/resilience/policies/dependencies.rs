//! One row per dependency: its breaker, its retry budget, and what its absence means.

/// What is called. One that can be had at two places is two: each has a breaker of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(usize)]
pub enum Dependency {
    /// The database node that accepts writes.
    DatabaseWriter,
    /// The nodes that are read from.
    DatabaseReads,
    /// DynamoDB.
    Dynamo,
    /// S3.
    Objects,
    /// SQS.
    Queues,
    /// Secrets Manager.
    Secrets,
    /// The payment provider.
    Payments,
    /// The mail provider.
    Mail,
    /// Lambda, for warming.
    Functions,
    /// Secrets Manager in the other region.
    SecretsSecondary,
    /// The second mail provider.
    MailSecondary,
    /// The table of rate limits.
    Limits,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct DependencyPolicy {
    /// The row's dependency.
    pub dependency: Dependency,
    /// Its name in logs, metrics and the API.
    pub name: &'static str,
    /// Failed or slow calls, one after the other, that open the breaker.
    pub failures_max: u32,
    /// How long it stays open at most; jitter takes off up to a half.
    pub open_ms: u32,
    /// Probes, one after the other, that close it.
    pub successes_to_close: u32,
    /// Whether the environments tell each other.
    pub shared: bool,
    /// Retries in a window, in percent of its calls.
    pub retries_percent: u32,
    /// Retries in a window that are allowed however few its calls were.
    pub retries_min: u32,
    /// What happens while it is away, for whoever reads the log.
    pub meanwhile: &'static str,
}

/// What most rows say. Five failures one after the other, because an environment serves one
/// request at a time and would never see many in a window of time.
const USUAL: DependencyPolicy = DependencyPolicy {
    dependency: Dependency::Dynamo,
    name: "",
    failures_max: 5,
    // Inside of AWS; an environment finds out by itself within a few requests.
    open_ms: 5_000,
    successes_to_close: 3,
    shared: false,
    retries_percent: 20,
    retries_min: 3,
    meanwhile: "",
};

/// The table, in the order of [`Dependency`].
pub const DEPENDENCIES: [DependencyPolicy; 12] = [
    // A promotion must be noticed within a second, so this only spares requests the
    // five tries while there is no writer at all. The five need a budget of their own.
    DependencyPolicy {
        dependency: Dependency::DatabaseWriter,
        name: "database_primary",
        open_ms: 300,
        successes_to_close: 1,
        retries_min: 8,
        meanwhile: "what must be written is refused, or accepted and finished later",
        ..USUAL
    },
    DependencyPolicy {
        dependency: Dependency::DatabaseReads,
        name: "database_reads",
        open_ms: 300,
        successes_to_close: 1,
        meanwhile: "kept reads are served",
        ..USUAL
    },
    // Its own breaker cannot be shared through itself.
    DependencyPolicy {
        dependency: Dependency::Dynamo,
        name: "dynamodb",
        meanwhile: "carts are refused, sign-in gives no refresh token, switches stay as they are",
        ..USUAL
    },
    DependencyPolicy {
        dependency: Dependency::Objects,
        name: "s3",
        meanwhile: "uploads are refused",
        ..USUAL
    },
    DependencyPolicy {
        dependency: Dependency::Queues,
        name: "sqs",
        meanwhile: "events wait in the outbox",
        ..USUAL
    },
    DependencyPolicy {
        dependency: Dependency::Secrets,
        name: "secretsmanager",
        meanwhile: "secrets stay as they were last read",
        ..USUAL
    },
    // The one that is shared: each failed call costs a customer up to six seconds, at a
    // provider that is everybody's and that every environment would find out about anew.
    DependencyPolicy {
        dependency: Dependency::Payments,
        name: "payments",
        open_ms: 30_000,
        shared: true,
        meanwhile: "orders wait for their payment",
        ..USUAL
    },
    // Few environments send, and no customer waits for it.
    DependencyPolicy {
        dependency: Dependency::Mail,
        name: "mail",
        open_ms: 30_000,
        meanwhile: "mail waits in its queue",
        ..USUAL
    },
    DependencyPolicy {
        dependency: Dependency::Functions,
        name: "lambda",
        meanwhile: "environments get cold",
        ..USUAL
    },
    DependencyPolicy {
        dependency: Dependency::SecretsSecondary,
        name: "secretsmanager_secondary",
        meanwhile: "the first region alone is read",
        ..USUAL
    },
    DependencyPolicy {
        dependency: Dependency::MailSecondary,
        name: "mail_secondary",
        open_ms: 30_000,
        meanwhile: "the first provider alone sends",
        ..USUAL
    },
    DependencyPolicy {
        dependency: Dependency::Limits,
        name: "limits",
        meanwhile: "each environment counts for itself",
        ..USUAL
    },
];

impl Dependency {
    /// Its row.
    pub const fn policy(self) -> &'static DependencyPolicy {
        &DEPENDENCIES[self as usize]
    }

    /// Its name in logs, metrics and the API.
    pub const fn name(self) -> &'static str {
        self.policy().name
    }

    /// The dependency of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        let row = DEPENDENCIES.iter().find(|row| row.name == name);
        row.map(|row| row.dependency)
    }
}

const _: () = {
    let mut index = 0;
    while index < DEPENDENCIES.len() {
        let row = &DEPENDENCIES[index];
        assert!(
            row.dependency as usize == index,
            "rows must stand in the order of Dependency"
        );
        assert!(row.failures_max > 0 && row.open_ms > 0 && row.successes_to_close > 0);
        index += 1;
    }
};
