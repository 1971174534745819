//! The worst cases, held against the deadline at compile time.

use super::{
    Intent, MAIL_LEASE, POLICIES, PUBLISH_TIMEOUT, PUBLISH_WAIT, REQUEST_TIMEOUT,
    SESSIONS_END_TIMEOUT, worst_case_ms,
};

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
            Intent::CatalogueRead,
        ],
    },
    // Cart: limit, read, price, write.
    Route {
        calls: &[
            Intent::LimitCheck,
            Intent::LimitCheck,
            Intent::DynamoRead,
            Intent::DatabaseConnect,
            Intent::DatabaseRead,
            Intent::DynamoWrite,
        ],
    },
    // Sign-in: limit, failures, account, session, both rings of keys at the same moment.
    Route {
        calls: &[
            Intent::LimitCheck,
            Intent::LimitCheck,
            Intent::LimitCheck,
            Intent::DatabaseConnect,
            Intent::DatabaseRead,
            Intent::DynamoWrite,
            Intent::SecretRead,
            Intent::SecretReadSecondary,
        ],
    },
    // Refresh: limit, family, account, family.
    Route {
        calls: &[
            Intent::LimitCheck,
            Intent::LimitCheck,
            Intent::DynamoRead,
            Intent::DatabaseConnect,
            Intent::DatabaseRead,
            Intent::DynamoWrite,
        ],
    },
    // Step-up: limit, whose token, seal key, a transaction, key.
    Route {
        calls: &[
            Intent::LimitCheck,
            Intent::LimitCheck,
            Intent::SessionCheck,
            Intent::SecretRead,
            Intent::SecretReadSecondary,
            Intent::DatabaseConnect,
            Intent::DatabaseWrite,
            Intent::SecretRead,
            Intent::SecretReadSecondary,
        ],
    },
    // Logging out everywhere, with nobody to note it but the session store: limit, whose
    // token, cut-off, families, each of them, none left, cut-off.
    Route {
        calls: &[
            Intent::LimitCheck,
            Intent::LimitCheck,
            Intent::SessionCheck,
            Intent::DynamoWrite,
            Intent::DynamoRead,
            Intent::DynamoWrite,
            Intent::DynamoRead,
            Intent::DynamoWrite,
        ],
    },
    // Image: limit, page, upload, published object, write.
    Route {
        calls: &[
            Intent::LimitCheck,
            Intent::LimitCheck,
            Intent::DatabaseConnect,
            Intent::ObjectRead,
            Intent::ObjectWrite,
            Intent::DatabaseWrite,
        ],
    },
    // Order without a writer: limit, cart, a transaction that comes to nothing, prices, intent, nudge.
    Route {
        calls: &[
            Intent::LimitCheck,
            Intent::LimitCheck,
            Intent::DynamoRead,
            Intent::DatabaseConnect,
            Intent::DatabaseWrite,
            Intent::CatalogueRead,
            Intent::DynamoWrite,
            Intent::NudgeSend,
        ],
    },
    // Readiness asks everything at the same moment; this takes longest: login, nodes, schema.
    Route {
        calls: &[
            Intent::SecretRead,
            Intent::SecretReadSecondary,
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
    assert!(
        (worst_case_ms(Intent::MailSend) + worst_case_ms(Intent::MailSendSecondary)) as u128
            <= MAIL_LEASE.as_millis()
    );
    // Another password: limit, whose token, account, failures, one more, a transaction, and the
    // sessions' end. Another role and an erased account are a part of it.
    assert!(
        (2 * worst_case_ms(Intent::LimitCheck)
            + worst_case_ms(Intent::SessionCheck)
            + worst_case_ms(Intent::DatabaseConnect)
            + worst_case_ms(Intent::DatabaseRead)
            + 2 * worst_case_ms(Intent::LimitCheck)
            + worst_case_ms(Intent::DatabaseWrite)) as u128
            + SESSIONS_END_TIMEOUT.as_millis()
            + (PUBLISH_WAIT.as_millis() + PUBLISH_TIMEOUT.as_millis())
            <= REQUEST_TIMEOUT.as_millis()
    );
    // Checkout: limit, a transaction, the charge, a transaction. Connecting happens once.
    assert!(
        (2 * worst_case_ms(Intent::LimitCheck)
            + 2 * worst_case_ms(Intent::DatabaseWrite)
            + worst_case_ms(Intent::PaymentWrite)) as u128
            <= REQUEST_TIMEOUT.as_millis()
    );
};
