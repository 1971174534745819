//! Secrets that a function is given itself, in place of those in Secrets Manager.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::SecretString;

/// Where a given secret is. Its value is masked in `Debug`.
#[derive(Debug, Clone)]
pub enum GivenSecret {
    /// In a file, such as an orchestrator mounts; it may change there.
    File(PathBuf),
    /// In the environment.
    Value(SecretString),
}

/// The secrets that are given, by the names that they would have in Secrets Manager. A clone
/// knows of those that are added later: whoever reads secrets is configured before the last of
/// their names is.
#[derive(Debug, Clone, Default)]
pub struct GivenSecrets(Arc<Mutex<BTreeMap<String, GivenSecret>>>);

impl GivenSecrets {
    /// The one that stands in for the secret `id`, if there is one.
    pub fn get(&self, id: &str) -> Option<GivenSecret> {
        let given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        given.get(id).cloned()
    }

    pub(super) fn add(&self, id: &str, secret: GivenSecret) {
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        given.insert(id.to_owned(), secret);
    }
}
