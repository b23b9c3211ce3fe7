/*!
Processors, a folder each. What runs on the hot path is in `crate::pipeline`.

A folder's `config.rs` reads the processor's keys and says what it is to a pipeline
([`ProcessorRole`]): most see each item ([`ProcessorSettings`]); `batch` and `memory_limiter` set how
the engine batches and how much it holds. `component` lists the folders.
*/

mod actions;
pub(crate) mod attributes;
mod background;
pub(crate) mod batch;
mod derived;
pub(crate) mod filter;
mod items;
pub(crate) mod k8s_attributes;
mod kubernetes;
mod matching;
pub(crate) mod memory_limiter;
pub mod mesh;
mod ottl;
pub(crate) mod probabilistic_sampler;
pub(crate) mod redaction;
pub(crate) mod resource;
pub(crate) mod resource_detection;
mod settings;
pub(crate) mod transform;
mod values;

pub(crate) use background::{Background, BackgroundError, Backgrounds};
pub(crate) use settings::{BuildContext, ConfiguredProcessor, ProcessorRole, ProcessorSettings};
