//! The lease fits the functions that take it, and their silence is heard.

use local::template::{TEMPLATE, Template};
use shared::resilience::policies::JOB_LEASE;

use crate::tidy::{read, root};

#[test]
fn lease_is_longer_than_any_run_of_its_function() {
    let template = Template::of(&root()).unwrap();
    let functions = template.functions();
    for name in ["sweeper", "dlq-replayer"] {
        let function = functions.iter().find(|function| function.name == name);
        let timeout: u64 = function.unwrap().text("Timeout").unwrap().parse().unwrap();
        assert!(JOB_LEASE.as_secs() > timeout, "{name}: {timeout} s");
        // Over before the second tick after one that was killed.
        assert!(JOB_LEASE.as_secs() < 120);
    }
}

#[test]
fn schedule_that_says_nothing_rings() {
    let template = read(TEMPLATE);
    for (alarm, metric, section) in [
        ("JobsOverdueAlarm", "JobsOverdue", "jobs-overdue"),
        ("WarmerMissedAlarm", "Invocations", "warmer-missed"),
    ] {
        let (_, own) = template.split_once(&format!("\n  {alarm}:\n")).unwrap();
        let own = own.split_once("AlarmActions").unwrap().0;
        for line in [
            format!("MetricName: {metric}\n"),
            "TreatMissingData: breaching\n".to_owned(),
            format!("docs/RUNBOOK.md#{section}\n"),
        ] {
            assert!(own.contains(&line), "{alarm}: {line}");
        }
        let heading = section.replace('-', " ");
        let runbook = read("docs/RUNBOOK.md").to_lowercase();
        assert!(runbook.contains(&format!("\n## {heading}\n")), "{section}");
    }
}
