//! The flow controller: select, collect, process. Pure.
