// Both protocols in a NestJS application, with its own users and life cycle:
// `npx tsc -p examples/nestjs && node examples/nestjs/dist/main.js`.
import 'reflect-metadata'
import type { IncomingMessage } from 'node:http'
import { type BeforeApplicationShutdown, Controller, Get, Injectable, Module, type OnModuleInit } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { createUploads, type Principal } from 'holdfast'
import { FileStorage } from 'holdfast/file'
import { holdfast } from 'holdfast/node'

/** Stands for what the application knows of its users. */
@Injectable()
class Users {
  find(request: IncomingMessage): Principal | null {
    const user = request.headers['x-user']
    return typeof user === 'string' ? { id: user } : null
  }
}

@Injectable()
class UploadsService implements OnModuleInit, BeforeApplicationShutdown {
  readonly uploads
  readonly handler
  finished = 0

  constructor(users: Users) {
    this.uploads = createUploads({
      storage: new FileStorage({ directory: process.env['DATA_DIR'] ?? './data' }),
      authenticate: (request) => users.find(request),
      onCompleted: (file) => {
        this.finished += 1
        console.log(`${file.name} is here: ${file.size} bytes`)
      },
    })
    this.handler = holdfast({ uploads: this.uploads })
  }

  async onModuleInit(): Promise<void> {
    await this.uploads.open()
  }

  /** Ends the bodies under way, before Nest closes their connections; what they brought is kept. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.uploads.close()
  }
}

@Controller('finished')
class FinishedController {
  readonly #service: UploadsService

  constructor(service: UploadsService) {
    this.#service = service
  }

  @Get()
  count(): { readonly finished: number } {
    return { finished: this.#service.finished }
  }
}

@Module({ controllers: [FinishedController], providers: [Users, UploadsService] })
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'], forceCloseConnections: true })
app.use(app.get(UploadsService).handler) // ahead of Nest's body parsers, which come with listen()
app.enableShutdownHooks(['SIGTERM', 'SIGINT'], { useProcessExit: true })
await app.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1')
console.log(`listening on ${await app.getUrl()}`)
