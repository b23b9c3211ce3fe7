/*!
Receivers: what senders speak, turned into the bytes that pipelines take.

Each receiver is a folder; what they share is here: what a request says it
carries ([`content`]), and inflating it ([`inflate`]).
*/

mod content;
mod inflate;
pub mod otlp;
