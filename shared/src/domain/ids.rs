//! Ids: UUIDv7 for what we make, UUIDv8 for what caller and key make.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::events::Queue;
use super::idempotency::IdempotencyKey;

/// A new id, ordered by the time it was made.
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// An order's id, made from who orders and under which key, so that every path
/// that may place the same order gives it the same id.
pub fn order_id(customer: Uuid, key: &IdempotencyKey) -> Uuid {
    derived("order", customer, key.as_str())
}

/// A dead letter's id, made from its queue and what it says, because SQS gives a message a new
/// id each time it is sent: however often the same one dies, it is one dead letter.
pub fn dead_letter_id(queue: Queue, body: &str) -> Uuid {
    derived(
        &format!("dead letter of {}", queue.name()),
        Uuid::nil(),
        body,
    )
}

/// An id made from a parent's id and a name, for things of which there may be
/// one: a retry makes the same one.
pub fn derived(kind: &str, parent: Uuid, name: &str) -> Uuid {
    let digest = Sha256::new()
        .chain_update(kind)
        .chain_update([0])
        .chain_update(parent)
        .chain_update(name)
        .finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Uuid::new_v8(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_id_depends_on_customer_and_key() {
        let (alice, bob) = (new_id(), new_id());
        let key = |name: &str| IdempotencyKey::try_from(name.to_owned()).unwrap();
        assert_eq!(order_id(alice, &key("a")), order_id(alice, &key("a")));
        assert_ne!(order_id(alice, &key("a")), order_id(bob, &key("a")));
        assert_ne!(order_id(alice, &key("a")), order_id(alice, &key("b")));
        assert_eq!(order_id(alice, &key("a")).get_version_num(), 8);
    }

    #[test]
    fn dead_letter_is_known_by_its_queue_and_what_it_says() {
        let id = dead_letter_id(Queue::Orders, "one");
        assert_eq!(id, dead_letter_id(Queue::Orders, "one"));
        assert_ne!(id, dead_letter_id(Queue::Mail, "one"));
        assert_ne!(id, dead_letter_id(Queue::Orders, "other"));
    }
}
