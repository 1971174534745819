//! The algorithm against its promise, and who is told from whom.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const SECOND_US: i64 = 1_000_000;
/// Some instant of 2026.
const NOW_US: i64 = 1_790_000_000 * SECOND_US;

/// How many of `requests` at these instants are admitted.
fn admitted(quota: Quota, instants: &[i64]) -> u32 {
    let mut arrival = 0;
    let mut count = 0;
    for now in instants {
        let decision = quota.judge(arrival, *now, 1);
        arrival = decision.arrival_us;
        count += u32::from(decision.admitted);
    }
    count
}

#[test]
fn whole_quota_may_come_at_once_and_not_one_more() {
    for units in [1, 7, 20, 100, 100_000] {
        let quota = Quota::new(units, 60);
        let instants = vec![NOW_US; units as usize + 5];
        assert_eq!(admitted(quota, &instants), units, "{units}");
    }
}

#[test]
fn units_come_back_one_by_one() {
    let quota = Quota::new(20, 60);
    let mut arrival = 0;
    for _ in 0..20 {
        arrival = quota.judge(arrival, NOW_US, 1).arrival_us;
    }
    let refused = quota.judge(arrival, NOW_US, 1);
    assert_eq!(
        (refused.admitted, refused.remaining, refused.reset),
        (false, 0, Duration::from_secs(3))
    );
    assert!(!quota.judge(arrival, NOW_US + 3 * SECOND_US - 1, 1).admitted);
    assert!(quota.judge(arrival, NOW_US + 3 * SECOND_US, 1).admitted);
    let rested = quota.judge(arrival, NOW_US + 60 * SECOND_US, 1);
    assert_eq!((rested.admitted, rested.remaining), (true, 19));
}

#[test]
fn refusal_costs_nothing() {
    let quota = Quota::new(1, 60);
    let arrival = quota.judge(0, NOW_US, 1).arrival_us;
    let refused = quota.judge(arrival, NOW_US + SECOND_US, 1);
    assert_eq!(refused.arrival_us, arrival);
    assert_eq!(refused.reset, Duration::from_secs(59));
}

#[test]
fn weight_takes_several_units_and_at_most_all() {
    let quota = Quota::new(10, 900);
    let first = quota.judge(0, NOW_US, 5);
    assert_eq!((first.admitted, first.remaining), (true, 5));
    let second = quota.judge(first.arrival_us, NOW_US, 5);
    assert_eq!((second.admitted, second.remaining), (true, 0));
    assert!(!quota.judge(second.arrival_us, NOW_US, 5).admitted);
    assert!(quota.judge(0, NOW_US, 1_000).admitted);
}

proptest! {
    #[test]
    fn never_more_than_burst_and_rate_allow(
        units in 1_u32..200,
        window in 1_u32..1_000,
        mut steps in prop::collection::vec(0_i64..30 * SECOND_US, 1..400),
    ) {
        let quota = Quota::new(units, window);
        let mut now = NOW_US;
        for step in &mut steps {
            now += *step;
            *step = now;
        }
        let first = steps[0];
        let elapsed = (now - first) as f64 / SECOND_US as f64;
        let most = f64::from(units) + elapsed * f64::from(units) / f64::from(window);
        prop_assert!(f64::from(admitted(quota, &steps)) <= most + 1e-6);
    }

    #[test]
    fn reset_of_a_refusal_is_when_the_next_is_admitted(
        units in 1_u32..200,
        window in 1_u32..1_000,
        ahead in 0_i64..1_000 * SECOND_US,
    ) {
        let quota = Quota::new(units, window);
        let arrival = NOW_US + ahead.min(quota.tolerance_us());
        let decision = quota.judge(arrival, NOW_US, 1);
        prop_assume!(!decision.admitted);
        let wait = i64::try_from(decision.reset.as_micros()).unwrap();
        prop_assert!(wait <= quota.cost_us(1));
        prop_assert!(!quota.judge(arrival, NOW_US + wait - 1, 1).admitted);
        prop_assert!(quota.judge(arrival, NOW_US + wait, 1).admitted);
    }

    #[test]
    fn remaining_is_what_is_still_admitted(
        units in 1_u32..200,
        taken in 0_u32..200,
    ) {
        let quota = Quota::new(units, 60);
        let mut arrival = 0;
        let mut told = units;
        for _ in 0..taken.min(units) {
            let decision = quota.judge(arrival, NOW_US, 1);
            arrival = decision.arrival_us;
            told = decision.remaining;
        }
        let mut left = 0;
        while quota.judge(arrival, NOW_US, 1).admitted {
            arrival = quota.judge(arrival, NOW_US, 1).arrival_us;
            left += 1;
        }
        prop_assert_eq!(told, left);
    }
}

fn network(text: &str) -> Network {
    text.parse::<IpAddr>().unwrap().into()
}

#[test]
fn ipv6_is_told_apart_by_its_first_half_and_ipv4_whole() {
    assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
    assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    assert_eq!(format!("{:?}", network("192.0.2.1")), "Network(…)");
}

#[test]
fn buckets_differ_by_stage_class_and_holder() {
    let allowance = Allowance {
        per_user: 100,
        per_address: 20,
    };
    let user = Uuid::from_u128(7);
    let holders = [
        Holder::User(user),
        Holder::User(Uuid::from_u128(8)),
        Holder::Address(network("192.0.2.1")),
        Holder::Address(network("2001:db8::1")),
    ];
    let mut ids = BTreeSet::new();
    for stage in ["prod", "test"] {
        for class in [Class::Default, Class::Cart] {
            for holder in holders {
                let bucket = class.policy(allowance).bucket(stage, holder);
                assert!(!bucket.id.contains("192.0.2.1") && !bucket.id.contains("-0000-"));
                assert!(ids.insert(bucket.id));
            }
        }
    }
}

#[test]
fn classes_are_as_deployed() {
    let allowance = Allowance {
        per_user: 100,
        per_address: 20,
    };
    let rows = [
        (Class::SignIn, None, 20, true),
        (Class::Session, None, 100, true),
        (Class::Checkout, Some(20), 20, true),
        (Class::Cart, Some(100), 100, true),
        (Class::Events, Some(100), 100, true),
        (Class::Default, Some(100), 20, true),
        (Class::Catalogue, None, 6_000, false),
        (Class::Webhook, None, 6_000, false),
        (Class::Open, None, 6_000, false),
    ];
    for (class, user, address, shared) in rows {
        let policy = class.policy(allowance);
        assert_eq!(policy.user.map(Quota::units), user, "{class:?}");
        assert_eq!(policy.address.units(), address, "{class:?}");
        assert_eq!(policy.shared, shared, "{class:?}");
    }
}
