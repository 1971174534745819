//! What each function has at hand.

use aws_config::SdkConfig;

use super::Parts;
use super::bases::{Base, Edge, Selling, Shelf, stands_on};
use crate::config::{
    AuthConfig, CheckoutConfig, DlqReplayerConfig, KeyRotatorConfig, MailerConfig, OpsConfig,
    OrderWorkerConfig, ProductsConfig, ProjectorConfig, SweeperConfig, WarmerConfig,
};
use crate::domain::money::Currency;
use crate::http::ReadCache;
use crate::providers::functions::Functions;
use crate::providers::mail::Mail;
use crate::providers::objects::Objects;
use crate::providers::probes::Probes;
use crate::providers::secrets::SecretVersions;
use crate::providers::signing::Signer;
use crate::resilience::Sampler;
use crate::resilience::policies::FIGURES_TTL;

/// `auth`.
pub struct Auth {
    edge: Edge,
    /// What it was told from outside.
    pub config: AuthConfig,
    /// New access tokens; only this function may read the keys.
    pub signer: Signer,
}

impl Parts for Auth {
    type Config = AuthConfig;

    fn assemble(config: AuthConfig, aws: &SdkConfig) -> Self {
        let base = Base::new(config.base.clone(), aws);
        let edge = Edge::new(&base, config.base.stage.as_str(), config.edge.clone());
        let signer = Signer::new(
            base.secrets,
            &config.jwt_private,
            edge.verifier.clone(),
            [&config.edge.token_issuer, &config.edge.token_audience],
        );
        Self {
            edge,
            config,
            signer,
        }
    }
}

/// `products`.
pub struct Products {
    edge: Edge,
    shelf: Shelf,
    /// What it was told from outside.
    pub config: ProductsConfig,
    /// Pictures, on S3.
    pub objects: Objects,
    /// Reads that many callers share.
    pub reads: ReadCache,
    /// How much of what browsers report is kept.
    pub sampler: Sampler,
}

impl Parts for Products {
    type Config = ProductsConfig;

    fn assemble(config: ProductsConfig, aws: &SdkConfig) -> Self {
        let base = Base::new(config.base.clone(), aws);
        Self {
            edge: Edge::new(&base, config.base.stage.as_str(), config.edge.clone()),
            shelf: Shelf::new(base, config.catalogue_bucket.clone(), aws),
            objects: Objects::new(aws, config.media.clone()),
            reads: ReadCache::new(config.cache_ttl),
            sampler: Sampler::default(),
            config,
        }
    }
}

/// `checkout`.
pub struct Checkout {
    edge: Edge,
    selling: Selling,
    /// What it was told from outside.
    pub config: CheckoutConfig,
}

impl Parts for Checkout {
    type Config = CheckoutConfig;

    fn assemble(config: CheckoutConfig, aws: &SdkConfig) -> Self {
        let selling = Selling::new(config.selling.clone(), aws);
        let stage = config.selling.base.stage.as_str();
        Self {
            edge: Edge::new(&selling, stage, config.edge.clone()),
            selling,
            config,
        }
    }
}

/// `ops`.
pub struct Ops {
    edge: Edge,
    /// Whether what is outside is there.
    pub probes: Probes,
    /// The shop's figures, which all admins share.
    pub reads: ReadCache,
    /// The one currency.
    pub currency: Currency,
}

impl Parts for Ops {
    type Config = OpsConfig;

    fn assemble(config: OpsConfig, aws: &SdkConfig) -> Self {
        let base = Base::new(config.base.clone(), aws);
        let mail = Mail::new(aws, config.mail.clone(), &base.secrets);
        Self {
            probes: Probes::new(aws, &config, base.secrets.clone(), mail),
            reads: ReadCache::new(FIGURES_TTL),
            currency: config.currency,
            edge: Edge::new(&base, config.base.stage.as_str(), config.edge),
        }
    }
}

/// `order-worker`.
pub struct OrderWorker {
    selling: Selling,
}

impl Parts for OrderWorker {
    type Config = OrderWorkerConfig;

    fn assemble(OrderWorkerConfig(config): OrderWorkerConfig, aws: &SdkConfig) -> Self {
        Self {
            selling: Selling::new(config, aws),
        }
    }
}

/// `mailer`.
pub struct Mailer {
    base: Base,
    /// What it was told from outside.
    pub config: MailerConfig,
    /// SES, then SMTP.
    pub mail: Mail,
}

impl Parts for Mailer {
    type Config = MailerConfig;

    fn assemble(config: MailerConfig, aws: &SdkConfig) -> Self {
        let base = Base::new(config.base.clone(), aws);
        Self {
            mail: Mail::new(aws, config.mail.clone(), &base.secrets),
            base,
            config,
        }
    }
}

/// `projector`.
pub struct Projector {
    shelf: Shelf,
}

impl Parts for Projector {
    type Config = ProjectorConfig;

    fn assemble(config: ProjectorConfig, aws: &SdkConfig) -> Self {
        let base = Base::new(config.base, aws);
        Self {
            shelf: Shelf::new(base, config.catalogue_bucket, aws),
        }
    }
}

/// `dlq-replayer`.
pub struct DlqReplayer {
    base: Base,
}

impl Parts for DlqReplayer {
    type Config = DlqReplayerConfig;

    fn assemble(DlqReplayerConfig(config): DlqReplayerConfig, aws: &SdkConfig) -> Self {
        Self {
            base: Base::new(config, aws),
        }
    }
}

/// `sweeper`.
pub struct Sweeper {
    selling: Selling,
}

impl Parts for Sweeper {
    type Config = SweeperConfig;

    fn assemble(SweeperConfig(config): SweeperConfig, aws: &SdkConfig) -> Self {
        Self {
            selling: Selling::new(config, aws),
        }
    }
}

/// `key-rotator`.
pub struct KeyRotator {
    base: Base,
    /// What it was told from outside.
    pub config: KeyRotatorConfig,
    /// Secrets Manager, as what rotates in it.
    pub versions: SecretVersions,
}

impl Parts for KeyRotator {
    type Config = KeyRotatorConfig;

    fn assemble(config: KeyRotatorConfig, aws: &SdkConfig) -> Self {
        Self {
            base: Base::new(config.base.clone(), aws),
            versions: SecretVersions::new(aws),
            config,
        }
    }
}

/// `warmer`.
pub struct Warmer {
    /// What it was told from outside.
    pub config: WarmerConfig,
    /// The functions that it keeps warm.
    pub functions: Functions,
}

impl Parts for Warmer {
    type Config = WarmerConfig;

    fn assemble(config: WarmerConfig, aws: &SdkConfig) -> Self {
        Self {
            functions: Functions::new(aws),
            config,
        }
    }
}

stands_on!(
    Auth on edge: Edge,
    Products on shelf: Shelf,
    Checkout on selling: Selling,
    Ops on edge: Edge,
    OrderWorker on selling: Selling,
    Mailer on base: Base,
    Projector on shelf: Shelf,
    DlqReplayer on base: Base,
    Sweeper on selling: Selling,
    KeyRotator on base: Base,
);

/// Functions that are served as HTTP and kept warm.
macro_rules! with_http {
    ($($function:ident),+) => {$(
        impl AsRef<Edge> for $function {
            fn as_ref(&self) -> &Edge {
                &self.edge
            }
        }
    )+};
}
with_http!(Auth, Products, Checkout, Ops);

/// Functions that are fed from a queue.
macro_rules! with_queue {
    ($($function:ident),+) => {$(
        impl AsRef<Base> for $function {
            fn as_ref(&self) -> &Base {
                self
            }
        }
    )+};
}
with_queue!(OrderWorker, Mailer, Projector, DlqReplayer);
