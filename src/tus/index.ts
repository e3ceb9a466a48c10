/**
 * The tus 1.0 face over the core.
 * @module
 */
export { TusServer, type TusServerOptions } from './tus-server.ts'
