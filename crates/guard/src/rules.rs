//! One module per rule, named after its id.

pub(crate) mod net_003;
pub(crate) mod tsk_004;
pub(crate) mod tsk_007;
pub(crate) mod x_dev;
pub(crate) mod x_docksock;
pub(crate) mod x_ipc;
pub(crate) mod x_pid;
