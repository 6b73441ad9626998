"""Hardware models: a block codec plus a micro-architecture, one file each."""
