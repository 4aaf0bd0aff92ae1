//! Which values can lie in shared memory as they are.

use bytemuck::Pod;

/// A value that is nothing but its bytes, so that it can lie in shared memory as it is: numbers, arrays
/// of them, and structs of them.
///
/// Implemented for all that is `bytemuck::Pod`, `Send` and `Sync`. For a struct, derive it, with
/// bytemuck's feature `derive`:
///
/// ```
/// use bytemuck::{Pod, Zeroable};
///
/// #[derive(Clone, Copy, Pod, Zeroable)]
/// #[repr(C)]
/// struct Point {
///     x: f32,
///     y: f32,
/// }
///
/// fn is_plain<T: procession::Plain>() {}
/// is_plain::<Point>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot lie in shared memory as it is",
    note = "a `SharedSlice` holds numbers, arrays of them, and structs that derive `bytemuck::Pod`; \
            any other value can be shared with `procession::Shared`"
)]
pub trait Plain: Pod + Send + Sync {}

impl<T: Pod + Send + Sync> Plain for T {}
