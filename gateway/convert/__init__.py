"""Pure conversions between MIME and EAS item properties."""
