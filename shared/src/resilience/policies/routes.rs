//! The worst case of every route, held below the gateway's limit at compile time.

use super::{Intent, POLICIES, REQUEST_TIMEOUT, worst_case_ms};

/// A route's outside calls, one after the other, when everything goes as badly as it can.
struct Route {
    calls: &'static [Intent],
}

const ROUTES: &[Route] = &[
    // Catalogue reads: connect, list.
    Route {
        calls: &[Intent::DatabaseConnect, Intent::DatabaseRead],
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
    // Order without a writer: cart, a transaction that comes to nothing, prices, intent, nudge.
    Route {
        calls: &[
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
