//! What a drill needs: customers who keep browsing, signing in and ordering, and a checker that
//! knows nothing of the shop's code.

mod answers;
mod checker;
mod compared;
mod http;
pub mod letters;
mod scene;
mod traffic;

pub use answers::{Act, Answer, Outcome, Stretch, Summary, within};
pub use checker::{Report, check, settle};
pub use compared::Compared;
pub use scene::{Buyer, Scene, SignIn, Stocked};
pub use traffic::Traffic;
