//! How attempts end: dispositions and their AAPOR codes. Pure.
