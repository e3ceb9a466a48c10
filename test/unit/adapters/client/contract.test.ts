import { expectTypeOf, it } from 'vitest'
import type {
  InitiatedUpload,
  ResumedUpload,
  ServerProgress,
  StoredChunk,
  UploadedFile,
  UploadList,
} from '../../../../adapters/client/contract.ts'
import type { Chunk, Completed, Created, Progress, Resumed, UploadList as List } from '../../../../src/json/schemas.ts'

/** What a client reads of a type: whether a field is read-only does not matter. */
type Read<T> = { readonly [K in keyof T]: T[K] }

it('the client takes answers for what the server gives: the compiler says so', () => {
  expectTypeOf<Read<Created>>().toExtend<InitiatedUpload>()
  expectTypeOf<Read<Chunk>>().toExtend<StoredChunk>()
  expectTypeOf<Read<Progress>>().toExtend<ServerProgress>()
  expectTypeOf<Read<Resumed>>().toExtend<ResumedUpload>()
  expectTypeOf<Read<Completed>>().toExtend<UploadedFile>()
  expectTypeOf<List>().toExtend<UploadList>()
  expectTypeOf<keyof Created>().toEqualTypeOf<keyof InitiatedUpload>()
  expectTypeOf<keyof Progress>().toEqualTypeOf<keyof ServerProgress>()
  expectTypeOf<keyof Completed>().toEqualTypeOf<keyof UploadedFile>()
})
