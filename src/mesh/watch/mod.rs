/*!
What keeps [`super::Knowledge`] up to date while spans pass: the only part of
this room that talks to others. Its tasks run on a thread of their own.
*/

pub mod client;
pub mod kiali;
