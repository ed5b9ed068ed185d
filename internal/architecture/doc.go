// Package architecture holds no code: its test keeps the import graph of the
// module in the order that docs/architecture.md describes.
package architecture
