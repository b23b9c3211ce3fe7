/*!
`file_storage`: where the segment log is, and how careful it is.

Exporters name it as the `storage` of their queue.
*/

pub(crate) mod config;
