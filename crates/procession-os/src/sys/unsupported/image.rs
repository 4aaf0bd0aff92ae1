//! No look into images.

use crate::image::Image;

pub(crate) fn image_of(_address: usize) -> Option<Image> {
    None
}
