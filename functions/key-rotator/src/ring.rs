//! The ring of signing keys.

use secrecy::{ExposeSecret, SecretString};
use shared::clock;
use shared::events::Step;
use shared::providers::secrets::{Stage, Version};
use shared::providers::signing::{PublicRing, Ring};

use crate::{Outcome, RotationError, Work};

/// Does a step other than the last.
pub(crate) async fn step(work: &Work<'_>) -> Result<Outcome, RotationError> {
    let pending = work.pending().await?;
    match (work.rotation.step, pending) {
        (Step::CreateSecret, Some(_)) => Ok(Outcome::DoneBefore),
        (Step::CreateSecret, None) => create(work).await,
        (Step::TestSecret, None) => nothing_to_test(),
        (_, None) => Err(RotationError::NoValue),
        (Step::TestSecret, Some(pending)) => test(work, &read(&pending, "pending")?).await,
        (_, Some(pending)) => publish(work, &read(&pending, "pending")?).await,
    }
}

/// Secrets Manager tries a schedule out by this step alone, on a version without a value.
pub(crate) fn nothing_to_test() -> Result<Outcome, RotationError> {
    tracing::warn!("there is nothing to test yet");
    Ok(Outcome::DoneBefore)
}

/// Makes the ring after the current one. Of one that was revoked nothing is kept: whoever
/// has read it has read both its keys.
async fn create(work: &Work<'_>) -> Result<Outcome, RotationError> {
    let current = read(&work.current().await?, "current")?;
    let is_revoked = work
        .described
        .version_at(Stage::Current)
        .is_some_and(|version| work.described.is_at(version, Stage::Revoked));
    let ring = if is_revoked {
        Ring::generate()
    } else {
        current.rotated(&published(work).await?, clock::now())
    };
    let ring = ring.map_err(|_| RotationError::NoRandomness)?;
    let text = serde_json::to_string(&ring).map_err(|_| RotationError::Shape("new"))?;
    work.store(text.into()).await
}

/// Publishes the public half before any key of the ring signs. From here on a key that is
/// not in it is refused, and a signer that has none of it reads the pending ring.
async fn publish(work: &Work<'_>, ring: &Ring) -> Result<Outcome, RotationError> {
    let published = published(work).await?;
    let wanted = ring.public(&published, clock::now());
    if wanted == published {
        return Ok(Outcome::DoneBefore);
    }
    let text = serde_json::to_string(&wanted).map_err(|_| RotationError::Shape("new"))?;
    let id = &work.state.config.jwt_public;
    work.state.versions.replace(id, &text).await?;
    Ok(Outcome::Done)
}

/// Whether both keys are published, and the one that is to sign signs what the published
/// one verifies.
async fn test(work: &Work<'_>, ring: &Ring) -> Result<Outcome, RotationError> {
    let published = published(work).await?;
    let is_published = |kid: &str| {
        published
            .key(kid)
            .is_some_and(|key| key.retired_at.is_none())
    };
    if !is_published(&ring.next.kid) || !is_published(&ring.current.kid) {
        return Err(RotationError::Untrue("the new ring is not published"));
    }
    for key in [&ring.current, &ring.next] {
        if !key.matches(published.key(&key.kid)) {
            return Err(RotationError::Untrue("a new key does not sign"));
        }
    }
    Ok(Outcome::Done)
}

/// The public ring as it is now; an empty one where there is none.
async fn published(work: &Work<'_>) -> Result<PublicRing, RotationError> {
    let id = &work.state.config.jwt_public;
    let text = work
        .state
        .versions
        .value(id, Version::At(Stage::Current))
        .await?;
    match text {
        Some(text) => serde_json::from_str(text.expose_secret())
            .map_err(|_| RotationError::Shape("published")),
        None => Ok(PublicRing::default()),
    }
}

fn read(text: &SecretString, which: &'static str) -> Result<Ring, RotationError> {
    serde_json::from_str(text.expose_secret()).map_err(|_| RotationError::Shape(which))
}
