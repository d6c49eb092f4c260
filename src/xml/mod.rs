//! XML documents as trees that know line and column, and findings about them. Pure.
