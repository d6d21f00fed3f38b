// Pure logic of the district's forms: defaults, what is wrong with a field, what to send.

import type {
  AreaType,
  Camera,
  CameraInput,
  Institution,
  InstitutionInput,
  Township,
  TownshipInput,
} from '@/api/schema';
import { isPushed } from './push';

export const AREA_TYPES: AreaType[] = [
  'entrance',
  'activity',
  'dining',
  'sleeping',
  'outdoor',
  'corridor',
  'kitchen',
  'office',
  'other',
];

/** Known, and refused: the law forbids cameras there. */
export const FORBIDDEN_AREAS = ['toilet', 'changing', 'nursing', 'staff_rest'] as const;
export type ForbiddenArea = (typeof FORBIDDEN_AREAS)[number];

export function isForbiddenArea(area: string): area is ForbiddenArea {
  return FORBIDDEN_AREAS.includes(area as ForbiddenArea);
}

export interface TownshipForm {
  id: string;
  name: string;
}

export interface InstitutionForm {
  id: string;
  name: string;
  township_id: string;
  type: string;
  address: string;
  contact: string;
  phone: string;
  external_id: string;
  enabled: boolean;
}

export interface CameraForm {
  id: string;
  name: string;
  institution_id: string;
  area: string;
  area_type: AreaType | ForbiddenArea;
  main_url: string;
  sub_url: string;
  username: string;
  password: string;
  transport: Camera['transport'];
  record: Camera['record'];
  on_demand: boolean;
  /** Text of the field; empty = the configured default. */
  retention_days: string;
  enabled: boolean;
}

/** Keys of sentences under `district.`, by field. */
export type FormErrors = Record<
  string,
  'required' | 'badId' | 'badUrl' | 'badDays' | 'forbidden' | 'keyRequired'
>;

const ID = /^[A-Za-z0-9_-]{1,64}$/;
const URL_START = /^(rtsp(s|h|sh|\+https?)?|rtmps?|https?|udp|srt):\/\/[^\s/]+/i;

export const townshipForm = (of?: Township): TownshipForm => ({
  id: of?.id ?? '',
  name: of?.name ?? '',
});

export const institutionForm = (of: Institution | undefined, townshipId = ''): InstitutionForm => ({
  id: of?.id ?? '',
  name: of?.name ?? '',
  township_id: of?.township_id ?? townshipId,
  type: of?.type ?? '',
  address: of?.address ?? '',
  contact: of?.contact ?? '',
  phone: of?.phone ?? '',
  external_id: of?.external_id ?? '',
  enabled: of?.enabled ?? true,
});

export const cameraForm = (of: Camera | undefined, institutionId = ''): CameraForm => ({
  id: of?.id ?? '',
  name: of?.name ?? '',
  institution_id: of?.institution_id ?? institutionId,
  area: of?.area ?? '',
  area_type: of?.area_type ?? 'other',
  main_url: of?.main_url ?? '',
  sub_url: of?.sub_url ?? '',
  username: of?.username ?? '',
  password: '',
  transport: of?.transport ?? 'auto',
  record: of?.record ?? 'main',
  on_demand: of?.on_demand ?? false,
  retention_days: of?.retention_days ? String(of.retention_days) : '',
  enabled: of?.enabled ?? true,
});

function common(form: { id: string; name: string }): FormErrors {
  const errors: FormErrors = {};
  if (form.id && !ID.test(form.id)) errors.id = 'badId';
  if (!form.name.trim()) errors.name = 'required';
  return errors;
}

export const checkTownship = (form: TownshipForm): FormErrors => common(form);

export function checkInstitution(form: InstitutionForm): FormErrors {
  const errors = common(form);
  if (!form.township_id) errors.township_id = 'required';
  return errors;
}

const isUrl = (text: string): boolean => isPushed(text) || URL_START.test(text.trim());

export function checkCamera(form: CameraForm, hasPassword = false): FormErrors {
  const errors = common(form);
  if (!form.institution_id) errors.institution_id = 'required';
  if (isForbiddenArea(form.area_type)) errors.area_type = 'forbidden';
  if (!form.main_url.trim()) errors.main_url = 'required';
  else if (!isUrl(form.main_url)) errors.main_url = 'badUrl';
  if (form.sub_url.trim() && !isUrl(form.sub_url)) errors.sub_url = 'badUrl';
  const needsKey = isPushed(form.main_url) || isPushed(form.sub_url);
  if (needsKey && !form.password && !hasPassword) errors.password = 'keyRequired';
  const days = Number(form.retention_days);
  const isDays = Number.isInteger(days) && days >= 1 && days <= 3650;
  if (form.retention_days.trim() && !isDays) errors.retention_days = 'badDays';
  return errors;
}

const idOf = (form: { id: string }, isNew: boolean) => (isNew && form.id ? { id: form.id } : {});

export const townshipInput = (form: TownshipForm, isNew: boolean): TownshipInput => ({
  ...idOf(form, isNew),
  name: form.name.trim(),
});

export function institutionInput(form: InstitutionForm, isNew: boolean): InstitutionInput {
  const { id: _id, ...fields } = form;
  return { ...fields, name: form.name.trim(), ...idOf(form, isNew) };
}

/** The password is sent only when one was typed: left out, the server keeps the old one. */
export function cameraInput(form: CameraForm, isNew: boolean): CameraInput {
  const { id: _id, password, retention_days, area_type, ...fields } = form;
  return {
    ...fields,
    ...idOf(form, isNew),
    name: form.name.trim(),
    main_url: form.main_url.trim(),
    sub_url: form.sub_url.trim(),
    area_type: area_type as AreaType,
    retention_days: retention_days.trim() ? Number(retention_days) : null,
    ...(password ? { password } : {}),
  };
}
