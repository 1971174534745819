//! Every queue has its dead letters, and its consumer is the one who gives up.

use crate::tidy::read;
use local::template::TEMPLATE;
use shared::domain::events::Queue;
use shared::resilience::policies::{TRANSIENT_RECEIVES_MAX, WORKER_FUNCTION_TIMEOUT};

/// The number after a name.
fn number(text: &str, name: &str) -> u32 {
    let (_, rest) = text.split_once(name).unwrap_or_else(|| panic!("{name}"));
    let digits = rest.trim_start_matches([':', ' ']);
    let end = digits.find(|c: char| !c.is_ascii_digit());
    digits[..end.unwrap_or(digits.len())].parse().unwrap()
}

#[test]
fn consumers_have_the_time_that_the_policies_count_on_and_queues_wait_six_times_as_long() {
    let template = read(TEMPLATE);
    let timeout = u32::try_from(WORKER_FUNCTION_TIMEOUT.as_secs()).unwrap();
    for function in ["order-worker", "mailer", "projector", "dlq-replayer"] {
        let name = format!("FunctionName: !Sub holdfast-${{Stage}}-{function}\n");
        let (_, own) = template.split_once(&name).unwrap();
        assert_eq!(number(own, "\n      Timeout"), timeout, "{function}");
    }
    for queue in Queue::ALL {
        let name = queue.name();
        for name in [
            format!("QueueName: !Sub holdfast-${{Stage}}-{name}\n"),
            format!("'holdfast-${{Stage}}-{name}-dlq'"),
        ] {
            let (_, own) = template.split_once(&name).unwrap();
            assert_eq!(number(own, "VisibilityTimeout"), 6 * timeout, "{name}");
        }
    }
}

#[test]
fn queues_give_a_message_up_later_than_their_consumers_and_keep_it_for_two_weeks() {
    let template = read(TEMPLATE);
    for queue in Queue::ALL {
        let name = format!("QueueName: !Sub holdfast-${{Stage}}-{}\n", queue.name());
        let (_, own) = template.split_once(&name).unwrap();
        assert!(number(own, "maxReceiveCount") > TRANSIENT_RECEIVES_MAX);
        let name = format!("'holdfast-${{Stage}}-{}-dlq'", queue.name());
        let (_, dead) = template.split_once(&name).unwrap();
        let two_weeks = 14 * 24 * 60 * 60;
        assert_eq!(number(dead, "MessageRetentionPeriod"), two_weeks);
        assert!(template.contains(&format!(
            "holdfast-${{Stage}}-{}-dead-letters",
            queue.name()
        )));
    }
}
