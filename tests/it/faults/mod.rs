//! Whole flows while a dependency of the functions fails. Each of these tests runs alone: it calls
//! `Stack::alone` first.

mod payments;
mod pictures;
mod queues;
mod workers;

use std::time::Duration;

use tests::shop::{Shop, new_key, order_of};

/// Waits until the shop charges at once: the provider's breaker may still be open from the test before.
async fn nothing_is_left_of_other_faults(shop: &Shop) {
    let sku = shop.product(1000, 100).await;
    in_the_end("an order that is paid at once", async || {
        let body = order_of(&sku, 1, "pm_card_visa");
        let order = shop
            .customer
            .post_once("/checkout", &new_key(), &body)
            .await;
        (order.status == 201).then_some(())
    })
    .await;
}

/// Asks again and again until there is an answer. Longer than `eventually`: what nobody nudges
/// waits 30 s, and then for the sweeper's next minute.
pub(crate) async fn in_the_end<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    const PAUSE: Duration = Duration::from_millis(500);
    for _ in 0..260 {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("in vain: {what}");
}
