/**
 * The tus 1.0 face over the core.
 * @module
 */
export { TusFace } from './tus-face.ts'
