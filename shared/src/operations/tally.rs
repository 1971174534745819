//! What a job counts that goes through a list.

use super::OperationError;
use crate::events::Work;

/// How far a job came with its list. One thing that cannot be done keeps no other from being done,
/// and is left for the next run.
#[derive(Debug, Default)]
pub struct Tally {
    done: usize,
    left: usize,
    away: Option<OperationError>,
}

impl Tally {
    /// One more is done; how many are.
    pub fn done(&mut self) -> usize {
        self.done += 1;
        self.done
    }

    /// One is left, for this reason.
    pub fn left(&mut self, error: OperationError) {
        self.left += 1;
        if error.is_away() && self.away.is_none() {
            self.away = Some(error);
        }
    }

    /// What the job did. What was left because of itself makes no failure of it: it would be
    /// overdue for as long as that one thing cannot be done, and hide what else is.
    ///
    /// # Errors
    /// Something was left because a dependency was away.
    pub fn end(self) -> Result<Work, OperationError> {
        match self.away {
            Some(error) => Err(error),
            None => Ok(Work::of_list(self.done, self.left)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::order::OrderError;
    use crate::store::StoreError;

    #[test]
    fn one_that_cannot_be_done_is_left_and_the_job_is_done() {
        let mut tally = Tally::default();
        assert_eq!(tally.done(), 1);
        tally.left(OrderError::NotFound.into());
        assert_eq!(tally.done(), 2);
        assert_eq!(tally.end().unwrap(), Work::of_list(2, 1));
    }

    #[test]
    fn job_whose_dependency_is_away_fails_however_much_was_done() {
        let mut tally = Tally::default();
        assert_eq!(tally.done(), 1);
        tally.left(OrderError::NotFound.into());
        tally.left(StoreError::Unavailable("away".into()).into());
        let error = tally.end().unwrap_err();
        assert_eq!(error.to_string(), "the database is not available");
    }
}
