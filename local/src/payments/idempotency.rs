//! `Idempotency-Key`: the first answer is given again, whatever it was.
//!
//! An answer is kept once execution has begun, errors included. A request that fails validation
//! or meets another one under the same key leaves no trace, so it may be sent again.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::errors::ApiError;

/// A stored answer. Stripe may forget it after 24 hours; the sandbox never does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) key: ScopedKey,
    pub(super) fingerprint: String,
    pub(super) request_id: String,
    pub(super) status: u16,
    pub(super) body: String,
}

/// A key belongs to the account, so to the secret key that came with it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct ScopedKey {
    /// A digest of the secret key, which itself is never written down.
    pub(super) scope: String,
    pub(super) key: String,
}

/// A request that carries a key.
#[derive(Debug, Clone)]
pub(super) struct Keyed {
    pub(super) key: ScopedKey,
    pub(super) fingerprint: String,
}

/// All keys seen.
#[derive(Debug, Default)]
pub(super) struct Keys {
    answers: HashMap<ScopedKey, Answer>,
    in_flight: HashSet<ScopedKey>,
}

impl Keys {
    /// The answer to give again, if there is one.
    pub(super) fn recall(&self, request: &Keyed) -> Result<Option<Answer>, ApiError> {
        let key = &request.key.key;
        if self.in_flight.contains(&request.key) {
            let message = format!(
                "There is currently another in-progress request using this Idempotent Key (that \
                 probably means you submitted twice, and the other request is still going \
                 through): {key}. Please try again later."
            );
            return Err(ApiError::idempotency(409, message).code("idempotency_key_in_use"));
        }
        match self.answers.get(&request.key) {
            Some(answer) if answer.fingerprint != request.fingerprint => {
                let message = format!(
                    "Keys for idempotent requests can only be used with the same parameters they \
                     were first used with. Try using a key other than '{key}' if you meant to \
                     execute a different request."
                );
                Err(ApiError::idempotency(400, message))
            }
            found => Ok(found.cloned()),
        }
    }

    /// From here until `end` the key is in use.
    pub(super) fn begin(&mut self, key: &ScopedKey) {
        self.in_flight.insert(key.clone());
    }

    pub(super) fn end(&mut self, key: &ScopedKey) {
        self.in_flight.remove(key);
    }

    pub(super) fn store(&mut self, answer: Answer) {
        self.answers.insert(answer.key.clone(), answer);
    }
}
