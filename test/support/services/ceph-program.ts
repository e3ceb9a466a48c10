import { type DebianPackages, unpacked } from './debian-packages.ts'
import { ServiceMissing } from './service-missing.ts'
import type { Whereabouts } from './whereabouts.ts'

const CEPH: DebianPackages = {
  name: 'ceph-forky',
  title: 'an S3 server (Ceph radosgw, 107 MB)',
  suite: 'forky',
  packages: ['radosgw', 'ceph-mon', 'ceph-osd'],
  // What its start scripts, its own Python, disks, encryption and reports of crashes want.
  without: `
    adduser binutils ca-cert cdebconf ceph-volume coreutils cryptsetup debconf dmsetup e2fsprogs gdisk hdparm jq
    kmod$ libbabeltrace libbinutils libc-gconv libcephfs libcryptsetup libctf libdb5 libdebconf libdevmapper libdw
    libelf libext2fs libfdisk libglib libgomp libgprofng libinih libjq libjson liblvm2 libmount libnvme libonig
    libpam libparted libpython librbd libsemanage libsepol libsframe libsmartcols libss2 libsystemd-shared libxml2
    login logsave lvm2 media-types mount$ netbase nvme openssl$ openssl-provider parted passwd python3 sensible
    smartmontools sudo systemd tzdata util-linux uuid-runtime xfsprogs xz-utils
  `,
  program: 'usr/bin/radosgw',
}

/** The folder that Ceph is unpacked in, in the cache, which is filled on first use. */
export async function findCeph(where: Whereabouts): Promise<string> {
  try {
    return await unpacked(CEPH, where)
  } catch (error) {
    throw new ServiceMissing(
      'S3',
      (error as Error).message,
      'set TEST_S3_ENDPOINT=http://…, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to an S3 in which buckets may be made',
    )
  }
}
