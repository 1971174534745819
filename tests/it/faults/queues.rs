//! The queues are away while an order is placed.

use super::{in_the_end, nothing_is_left_of_other_faults};
use tests::shop::{Shop, new_key, order_of};
use tests::{Fault, Stack};

async fn mails_about(stack: &Stack, order: &str) -> usize {
    let mails = stack.ses_mails().await;
    let about = mails.iter().filter(|mail| mail.to_string().contains(order));
    about.count()
}

#[tokio::test]
async fn order_is_placed_and_paid_without_queues_and_its_mail_comes_later() {
    let stack = Stack::alone();
    let shop = Shop::open().await;
    nothing_is_left_of_other_faults(&shop).await;
    let sku = shop.product(1000, 1).await;
    let fault = Fault::start(&stack, "sqs", "refuse").await;
    let body = order_of(&sku, 1, "pm_card_visa");
    let order = shop
        .customer
        .post_once("/checkout", &new_key(), &body)
        .await
        .expect(201);
    assert_eq!(order.body["status"], "paid");
    let order = order.body["id"].as_str().unwrap();
    assert_eq!(mails_about(&stack, order).await, 0);
    fault.heal().await;
    in_the_end("the mail", async || {
        (mails_about(&stack, order).await == 1).then_some(())
    })
    .await;
}
